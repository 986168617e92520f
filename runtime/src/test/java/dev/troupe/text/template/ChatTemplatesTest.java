package dev.troupe.text.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.troupe.text.TokenizerFiles;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.weights.gguf.GgufFile;
import dev.troupe.weights.gguf.GgufWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplatesTest {
    private static final ArrayNode NOTHING = JsonNodeFactory.instance.arrayNode();
    private static final ChatInput PLAIN = ChatInput.of(NOTHING);
    private static final ChatInput WITH_TOOLS = new ChatInput(NOTHING, Optional.of(NOTHING), true, Map.of());

    @TempDir
    private Path model;

    @Test
    void theBundledModelHasATemplate() throws IOException {
        Path bundled = TokenizerFiles.oursFile().resolveSibling(".");

        ChatTemplate template = ChatTemplates.of(bundled).orElseThrow();

        assertThat(template.render(PLAIN, Clock.systemUTC())).startsWith("<|begin|>");
    }

    @Test
    void aModelWithoutATemplateHasNone() throws IOException {
        assertThat(ChatTemplates.of(model)).isEmpty();

        write("tokenizer_config.json", "{}");

        assertThat(ChatTemplates.of(model)).isEmpty();
    }

    @Test
    void aTemplateInTheConfigurationKnowsItsSpecialTexts() throws IOException {
        write(
                "tokenizer_config.json",
                "{'bos_token': {'content': '<s>'}, 'eos_token': '</s>', 'chat_template': '{{ bos_token }}A{{ eos_token }}'}");

        assertThat(text(PLAIN)).isEqualTo("<s>A</s>");
    }

    @Test
    void specialTextsCanStandInAFileOfTheirOwn() throws IOException {
        write("special_tokens_map.json", "{'bos_token': '<s>', 'eos_token': {'content': '</s>'}}");
        write("tokenizer_config.json", "{'eos_token': null, 'chat_template': '{{ bos_token }}A{{ eos_token }}'}");

        assertThat(text(PLAIN)).isEqualTo("<s>A");
    }

    @Test
    void ofNamedTemplatesOneIsForTools() throws IOException {
        write(
                "tokenizer_config.json",
                "{'chat_template': [{'name': 'default', 'template': 'A'}, {'name': 'tool_use', 'template': 'B'}]}");

        assertThat(text(PLAIN)).isEqualTo("A");
        assertThat(text(WITH_TOOLS)).isEqualTo("B");
    }

    @Test
    void aTemplateFileComesBeforeTheConfiguration() throws IOException {
        write("tokenizer_config.json", "{'chat_template': 'A'}");
        write("chat_template.jinja", "C\n");

        assertThat(text(PLAIN)).isEqualTo("C");
        assertThat(text(WITH_TOOLS)).isEqualTo("C");
    }

    @Test
    void aTemplateThatDoesNotCompileIsNamedWithItsLine() throws IOException {
        write("chat_template.jinja", "A\n{{ 1 + }}");

        assertThatExceptionOfType(TokenizerFormatException.class)
                .isThrownBy(() -> ChatTemplates.of(model))
                .withMessage(model + ": chat template 'default': line 2: unexpected '}}', expected an expression");
    }

    @Test
    void aConfigurationThatIsNoJsonIsRefused() throws IOException {
        write("tokenizer_config.json", "{");

        assertThatExceptionOfType(TokenizerFormatException.class)
                .isThrownBy(() -> ChatTemplates.of(model))
                .withMessageContaining("tokenizer_config.json: no JSON");
    }

    @Test
    void aGgufFileHasItsTemplatesAndItsSpecialTextsByNumber() throws IOException {
        Path file = model.resolve("model.gguf");
        new GgufWriter()
                .text("general.architecture", "llama")
                .texts("tokenizer.ggml.tokens", List.of("a", "<s>", "</s>"))
                .integer("tokenizer.ggml.bos_token_id", 1)
                .integer("tokenizer.ggml.eos_token_id", 7)
                .text("tokenizer.chat_template", "{{ bos_token }}A{{ eos_token is defined }}")
                .text("tokenizer.chat_template.tool_use", "B")
                .write(file);

        ChatTemplate template = ChatTemplates.of(GgufFile.open(file).metadata()).orElseThrow();

        assertThat(template.render(PLAIN, Clock.systemUTC())).isEqualTo("<s>AFalse");
        assertThat(template.render(WITH_TOOLS, Clock.systemUTC())).isEqualTo("B");
    }

    @Test
    void aGgufFileWithoutATemplateHasNone() throws IOException {
        Path file = model.resolve("model.gguf");
        new GgufWriter().text("general.architecture", "llama").write(file);

        assertThat(ChatTemplates.of(GgufFile.open(file).metadata())).isEmpty();
    }

    private String text(ChatInput input) throws IOException {
        return ChatTemplates.of(model).orElseThrow().render(input, Clock.systemUTC());
    }

    private void write(String file, String text) throws IOException {
        Files.writeString(model.resolve(file), text.replace('\'', '"'));
    }
}
