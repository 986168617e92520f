package dev.troupe.text.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import dev.troupe.text.TokenizerFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** OpenAI's vocabularies, written as a GGUF file has them, give the ids of tiktoken: the cuts of Llama 3 and of gpt-oss. */
class TiktokenTest {
    @TempDir
    Path folder;

    private record Vector(String text, List<Integer> ids) {}

    @ParameterizedTest
    @CsvSource({
        "cl100k_base, cl100k, dbrx, 423",
        "cl100k_base, cl100k, llama-bpe, 423",
        "o200k_base, o200k, gpt-4o, 421"
    })
    void givesTheIdsOfTiktoken(String vocabulary, String vectors, String pre, int count) throws IOException {
        List<String> tokens = tokens(TokenizerFiles.shared("tokenizers/tiktoken/%s.tiktoken".formatted(vocabulary)));
        Path file = TokenizerFiles.shared("tokenizers/tiktoken/%s.vectors.json".formatted(vectors));
        List<Vector> expected = new ObjectMapper().readValue(file.toFile(), new TypeReference<>() {});

        Tokenizer tokenizer = GgufTokenizer.of(
                        Vocabularies.byteLevel(tokens, merges(tokens), pre).metadata(folder))
                .orElseThrow();

        assertThat(expected).hasSize(count);
        for (Vector vector : expected) {
            Ints ids = Ints.of(vector.ids().stream().mapToInt(Integer::intValue).toArray());
            assertThat(tokenizer.encode(vector.text())).as(vector.text()).isEqualTo(ids);
            assertThat(tokenizer.decode(ids)).isEqualTo(vector.text());
        }
    }

    /** A line is a token in base 64 and its rank, which is its id. */
    private static List<String> tokens(Path file) throws IOException {
        Map<Integer, String> byId = Files.readAllLines(file).stream()
                .map(line -> line.split(" "))
                .collect(Collectors.toMap(
                        line -> Integer.parseInt(line[1]),
                        line -> Vocabularies.inAlphabet(Base64.getDecoder().decode(line[0]))));
        List<String> tokens = new ArrayList<>();
        for (int id = 0; id < byId.size(); id++) {
            tokens.add(byId.getOrDefault(id, ""));
        }
        return tokens;
    }

    /** What a token is joined from last, for each token, in the order of their ranks. */
    private static List<String> merges(List<String> tokens) {
        Map<String, Integer> ranks = new HashMap<>();
        for (int rank = 0; rank < tokens.size(); rank++) {
            ranks.put(tokens.get(rank), rank);
        }
        List<String> merges = new ArrayList<>();
        for (int rank = 0; rank < tokens.size(); rank++) {
            List<String> parts = parts(tokens.get(rank), rank, ranks);
            if (parts.size() == 2) {
                merges.add(parts.get(0) + " " + parts.get(1));
            }
        }
        return merges;
    }

    private static List<String> parts(String token, int below, Map<String, Integer> ranks) {
        List<String> parts = new ArrayList<>();
        token.chars().forEach(c -> parts.add(Character.toString(c)));
        while (parts.size() > 2) {
            int best = -1;
            int least = below;
            for (int i = 0; i + 1 < parts.size(); i++) {
                int rank = ranks.getOrDefault(parts.get(i) + parts.get(i + 1), below);
                if (rank < least) {
                    least = rank;
                    best = i;
                }
            }
            if (best < 0) {
                break;
            }
            parts.set(best, parts.get(best) + parts.remove(best + 1));
        }
        return parts;
    }
}
