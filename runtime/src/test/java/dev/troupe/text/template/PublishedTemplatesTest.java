package dev.troupe.text.template;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.text.TokenizerFiles;
import dev.troupe.text.template.limit.TemplateException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Real chat templates and pieces of their language, with the texts that Python's Jinja makes of them. */
class PublishedTemplatesTest {
    private static final Path FOLDER = TokenizerFiles.shared("chat-templates");

    @Test
    void everyPublishedTemplateCompiles() throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.list(FOLDER.resolve("templates"))) {
            files = all.sorted().toList();
        }

        for (Path file : files) {
            ChatTemplate.compile(Files.readString(file), SpecialTexts.NONE);
        }

        assertThat(files).hasSizeGreaterThan(90);
    }

    @Test
    void conversationsBecomeTheTextsThatPythonMakesOfThem() throws IOException {
        List<String> different = new ArrayList<>();
        JsonNode cases = read("cases.json");

        for (JsonNode one : cases) {
            String expected = one.path("expected").isNull()
                    ? "refused: " + one.path("error").asText()
                    : one.path("expected").asText();
            String actual = conversation(one);
            if (!actual.equals(expected)) {
                different.add("%s: expected\n%s\nbut was\n%s".formatted(one.path("name"), expected, actual));
            }
        }

        assertThat(different).isEmpty();
        assertThat(cases).hasSizeGreaterThan(200);
    }

    @Test
    void piecesOfTheLanguageGiveWhatPythonGives() throws IOException {
        List<String> different = new ArrayList<>();
        JsonNode cases = read("language.json");

        for (JsonNode one : cases) {
            String expected = one.path("expected").asText();
            String actual = piece(one);
            if (!actual.equals(expected)) {
                different.add("%s: expected '%s' but was '%s'".formatted(one.path("template"), expected, actual));
            }
        }

        assertThat(different).isEmpty();
        assertThat(cases).hasSizeGreaterThan(380);
    }

    private static String conversation(JsonNode one) throws IOException {
        String source = Files.readString(FOLDER.resolve(one.path("template").asText()));
        SpecialTexts special = new SpecialTexts(text(one.path("bos_token")), text(one.path("eos_token")));
        Map<String, JsonNode> extra = new HashMap<>();
        one.path("extra").properties().forEach(entry -> extra.put(entry.getKey(), entry.getValue()));
        JsonNode tools = one.path("tools");
        ChatInput input = new ChatInput(
                one.path("messages"),
                tools.isNull() ? Optional.empty() : Optional.of(tools),
                one.path("add_generation_prompt").asBoolean(),
                extra);
        String now = one.path("now").isTextual() ? one.path("now").asText() : "2024-01-01T00:00:00";
        Clock clock = Clock.fixed(LocalDateTime.parse(now).toInstant(ZoneOffset.UTC), ZoneOffset.UTC);
        try {
            return ChatTemplate.compile(source, special).render(input, clock);
        } catch (TemplateException.Refused e) {
            return "refused: " + e.reason();
        } catch (TemplateException e) {
            return "failed: " + e.getMessage();
        }
    }

    private static String piece(JsonNode one) {
        Map<String, JsonNode> context = new HashMap<>();
        one.path("context").properties().forEach(entry -> context.put(entry.getKey(), entry.getValue()));
        try {
            return ChatTemplate.compile(one.path("template").asText(), SpecialTexts.NONE)
                    .render(context, Clock.systemUTC());
        } catch (TemplateException e) {
            return "failed: " + e.getMessage();
        }
    }

    private static Optional<String> text(JsonNode node) {
        return node.isTextual() ? Optional.of(node.textValue()) : Optional.empty();
    }

    private static JsonNode read(String file) throws IOException {
        return new ObjectMapper().readTree(FOLDER.resolve(file).toFile());
    }
}
