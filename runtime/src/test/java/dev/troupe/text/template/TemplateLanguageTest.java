package dev.troupe.text.template;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.text.template.limit.TemplateException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/**
 * The language of templates: {@code templates/language.json} has pieces of it with the text that Python's Jinja 3.1 gives, set
 * up as transformers does it, or the kind of failure and the line of a syntax error.
 */
class TemplateLanguageTest {
    private static final Clock CLOCK = Clock.fixed(Instant.parse("2024-03-05T07:08:09.123456Z"), ZoneOffset.UTC);

    @Test
    void piecesOfTheLanguageGiveWhatPythonGives() throws IOException {
        JsonNode file = read();
        Map<String, JsonNode> context = new HashMap<>();
        file.path("context").properties().forEach(entry -> context.put(entry.getKey(), entry.getValue()));
        List<String> different = new ArrayList<>();

        for (JsonNode one : file.path("cases")) {
            String actual = outcome(one.path("template").asText(), context);
            if (!actual.equals(expected(one))) {
                different.add("%s: expected [%s] but was [%s]".formatted(one.path("template"), expected(one), actual));
            }
        }

        assertThat(different).isEmpty();
        assertThat(file.path("cases")).hasSizeGreaterThan(500);
    }

    private static String expected(JsonNode one) {
        return switch (one.path("failure").asText()) {
            case "syntax" -> "syntax error in line " + one.path("line");
            case "refused" -> "refused: " + one.path("reason").asText();
            case "" -> one.path("expected").asText();
            default -> one.path("failure").asText();
        };
    }

    private static String outcome(String template, Map<String, JsonNode> context) {
        try {
            return ChatTemplate.compile(template, SpecialTexts.NONE).render(context, CLOCK);
        } catch (TemplateException e) {
            return switch (e) {
                case TemplateException.Syntax syntax -> "syntax error in line " + syntax.line();
                case TemplateException.Refused refused -> "refused: " + refused.reason();
                case TemplateException.Failed failed -> "failed";
                case TemplateException.LimitReached reached -> "limit";
            };
        }
    }

    private static JsonNode read() throws IOException {
        try (InputStream file = TemplateLanguageTest.class.getResourceAsStream("/templates/language.json")) {
            return new ObjectMapper().readTree(Objects.requireNonNull(file));
        }
    }
}
