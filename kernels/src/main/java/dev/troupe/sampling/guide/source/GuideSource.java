package dev.troupe.sampling.guide.source;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.troupe.sampling.guide.automaton.Automaton;
import dev.troupe.sampling.guide.automaton.Expr;
import dev.troupe.sampling.guide.automaton.GuideException;
import java.util.ArrayList;
import java.util.List;

/** The texts that guides are written as, compiled. */
public final class GuideSource {
    /** The longest text of a guide, in characters. */
    public static final int LONGEST = 131_072;

    /** The most strings of a choice. */
    public static final int MOST_CHOICES = 10_000;

    private static final int DEEPEST = 64;
    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(DEEPEST)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .build();

    private GuideSource() {}

    /**
     * A regular expression that the whole text matches.
     *
     * @throws GuideException if it is malformed, unsupported or beyond a limit
     */
    public static Automaton regex(String pattern) {
        return Automaton.of(List.of(RegexParser.parse(pattern, Utf8::oneOf, false)));
    }

    /**
     * Documents that satisfy a JSON schema.
     *
     * @throws GuideException if it is malformed, unsupported or beyond a limit
     */
    public static Automaton jsonSchema(String schema) {
        return Automaton.of(SchemaCompiler.rules(json("JSON schema", schema)));
    }

    /** Any JSON object. */
    public static Automaton jsonObject() {
        return Automaton.of(SchemaCompiler.anyObject(JSON.createObjectNode()));
    }

    /**
     * One of several strings.
     *
     * @param strings a JSON array of strings, at least one
     * @throws GuideException if it is not, or is beyond a limit
     */
    public static Automaton choice(String strings) {
        JsonNode array = json("choice", strings);
        if (!array.isArray() || array.isEmpty() || array.size() > MOST_CHOICES) {
            throw new GuideException("choice: %s, expected an array of 1 to %d strings"
                    .formatted(
                            array.isArray() ? array.size() + " elements" : SchemaKeywords.shown(array), MOST_CHOICES));
        }
        List<Expr> options = new ArrayList<>();
        for (JsonNode one : array) {
            if (!one.isTextual()) {
                throw new GuideException("choice: %s is no string".formatted(SchemaKeywords.shown(one)));
            }
            options.add(Expr.literal(one.asText()));
        }
        return Automaton.of(List.of(new Expr.Choice(options)));
    }

    /**
     * One call or several, each an object that satisfies a schema of its own, between fixed texts.
     *
     * @param calls a JSON object: {@code first}, the text that begins it all; {@code calls}, an array of objects with
     *     {@code before}, {@code schema} and {@code after}, of which any may come; {@code between}, the text between two;
     *     {@code most}, how many may come; {@code last}, the text that ends it all
     * @throws GuideException if it is not, or a schema is malformed, unsupported or beyond a limit
     */
    public static Automaton calls(String calls) {
        return Automaton.of(CallsCompiler.rules(json("calls", calls)));
    }

    private static JsonNode json(String what, String text) {
        if (text.length() > LONGEST) {
            throw new GuideException(
                    "%s: it has %d characters, expected at most %d".formatted(what, text.length(), LONGEST));
        }
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException e) {
            var at = e.getLocation();
            String where = at == null ? "" : " (line %d, column %d)".formatted(at.getLineNr(), at.getColumnNr());
            throw new GuideException("%s: no valid JSON: %s%s".formatted(what, e.getOriginalMessage(), where), e);
        }
    }
}
