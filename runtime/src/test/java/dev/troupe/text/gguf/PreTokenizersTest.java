package dev.troupe.text.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.text.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where each way to cut a text cuts: with a vocabulary that joins whatever it may, a token is a word. */
class PreTokenizersTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource(delimiter = '\t', quoteCharacter = '"', textBlock = """
        gpt-2	I'LL we'll	I|'|LL| we|'ll
        gpt-2	a 12345x	a| 12345|x
        gpt-2	x+= 1.	x|+=| 1|.
        falcon	a 12345x	a| |123|45|x
        falcon	b +=c	b| |+=|c
        starcoder	a 123x	a| |1|2|3|x
        command-r	a 123x	a| |1|2|3|x
        llama-bpe	I'LL we'll	I|'LL| we|'ll
        llama-bpe	a 12345x	a| |123|45|x
        llama-bpe	x+= 1.	x|+=| |1|.
        llama-bpe	(fooBar)	(fooBar|)
        llama-bpe	a~  ~~b	a|~| | ~~|b
        gpt-2	a;;  ;b	a|;;| | ;|b
        qwen2	a 123x	a| |1|2|3|x
        qwen2	we'Re +c	we|'Re| +|c
        gpt-4o	fooBar we'll	foo|Bar| we'll
        gpt-4o	HTTPServer	HTTPServer
        gpt-4o	a 12345x	a| |123|45|x
        gpt-4o	/a.b/	/a|.b|/
        tekken	fooBar we'll	foo|Bar| we|'ll
        tekken	a 123x	a| |1|2|3|x
        deepseek-llm	a 12x. y	a| |1|2|x|.| y
        deepseek-llm	foo_bar	foo|_|bar
        deepseek-llm	ab一二c	ab|一二|c
        deepseek-coder	a 12x. y	a| |1|2|x|.| y
        deepseek-v3	a 1234x	a| |123|4|x
        deepseek-v3	_ab一二か+c	_ab|一二か|+c
        deepseek-v3	ab + c.	ab| +| c|.
        """)
    void cutsAText(String pre, String text, String words) throws IOException {
        assertThat(words(pre, text)).isEqualTo(words);
    }

    @Test
    void lineBreaksAreCutAsEachKindDoes() throws IOException {
        assertThat(words("gpt-2", "a.\n\n b")).isEqualTo("a|.|\n\n| b");
        assertThat(words("llama-bpe", "a.\n\n b")).isEqualTo("a|.\n\n| b");
        assertThat(words("deepseek-coder", "a.\n\n b")).isEqualTo("a|.|\n|\n| b");
        assertThat(words("deepseek-llm", "a.\n  ")).isEqualTo("a|.|\n|  ");
        assertThat(words("qwen2", "a\n \nb")).isEqualTo("a|\n \n|b");
    }

    @Test
    void combiningMarksAreComposedWhereThePublisherAsksForIt() throws IOException {
        String mark = "e\u0301";

        assertThat(words("qwen2", mark)).isEqualTo("\u00e9");
        assertThat(words("mpt", mark)).isEqualTo("\u00e9");
        assertThat(words("llama-bpe", mark)).isEqualTo(mark.substring(0, 1) + "|" + mark.substring(1));
        assertThat(words("qwen35", "x\u0301")).isEqualTo("x\u0301");
        assertThat(words("deepseek-v3", mark)).isEqualTo(mark);
    }

    @Test
    void everyNameGivesATokenizerThatReturnsTheText() throws IOException {
        String text = "Hello  wörld, it's 12345 \ud83d\ude80!\n\n\tA一b か\r\n x+=1;  ";

        for (String pre : PreTokenizers.names()) {
            Tokenizer tokenizer = open(Vocabularies.byteLevel(Vocabularies.bytes(), List.of("a b", "a c"), pre)
                    .texts("tokenizer.ggml.tokens", plus(Vocabularies.bytes(), "ab", "ac"))
                    .integers("tokenizer.ggml.token_type", Collections.nCopies(258, 1)));
            assertThat(tokenizer.decode(tokenizer.encode(text))).as(pre).isEqualTo(text);
        }
    }

    private static List<String> plus(List<String> list, String... more) {
        List<String> all = new ArrayList<>(list);
        all.addAll(List.of(more));
        return all;
    }

    private Tokenizer open(VocabularyFile file) throws IOException {
        return GgufTokenizer.of(file.metadata(folder)).orElseThrow();
    }

    /** The words of a short text, with bars between. */
    private String words(String pre, String text) throws IOException {
        Tokenizer tokenizer = open(joiner(pre, text + "\u00e9"));
        List<String> words = tokenizer.encodeWithoutSpecial(text).stream()
                .mapToObj(id -> new String(tokenizer.bytes(id), StandardCharsets.UTF_8))
                .toList();
        return String.join("|", words);
    }

    /** A vocabulary in which any two neighbours from the text are a token: every part of it is one, joined in every way. */
    private static VocabularyFile joiner(String pre, String text) {
        String line = Vocabularies.inAlphabet(text);
        Set<String> tokens = new LinkedHashSet<>(Vocabularies.bytes());
        Set<String> merges = new LinkedHashSet<>();
        for (int length = 2; length <= line.length(); length++) {
            for (int from = 0; from + length <= line.length(); from++) {
                tokens.add(line.substring(from, from + length));
                for (int at = from + 1; at < from + length; at++) {
                    merges.add(line.substring(from, at) + " " + line.substring(at, from + length));
                }
            }
        }
        return Vocabularies.byteLevel(List.copyOf(tokens), List.copyOf(merges), pre);
    }
}
