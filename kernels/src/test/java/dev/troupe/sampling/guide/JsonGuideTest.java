package dev.troupe.sampling.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.troupe.sampling.guide.automaton.GuideException;
import dev.troupe.tensor.Ints;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JsonGuideTest {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /** As the strict mode of the OpenAI API has it, and beyond. */
    private static final List<String> SCHEMAS = List.of(
            """
            {"$schema":"https://json-schema.org/draft/2020-12/schema","title":"T","type":"object",
             "properties":{"name":{"type":"string","description":"d"},"age":{"type":["integer","null"]},
              "tags":{"type":"array","items":{"type":"string","enum":["a","b\\"\\n","€😀"]}},
              "kind":{"const":{"x":[1,-2.5,null,true]}},"ok":{"type":"boolean"},"n":{"type":"number"}},
             "required":["name","age","tags","kind","ok","n"],"additionalProperties":false}""",
            """
            {"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"},"c":{},"d":{"type":"null"}},
             "required":["c"]}""",
            """
            {"type":"object","properties":{"a":{"type":"integer"},"ab":{"type":"integer"},"é\\"":{"type":"null"}},
             "required":["ab","z"],"additionalProperties":{"type":"string","maxLength":3}}""",
            """
            {"type":"object","properties":{"a":{"type":"boolean"}},"additionalProperties":true}""",
            """
            {"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"value":{"type":"integer"},
             "children":{"type":"array","items":{"$ref":"#/$defs/tree"},"maxItems":3}},
             "required":["value","children"],"additionalProperties":false}}}""",
            """
            {"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["next"],
             "additionalProperties":false}""",
            """
            {"anyOf":[{"type":"object","properties":{"kind":{"const":"circle"},"r":{"type":"number"}},
             "required":["kind","r"],"additionalProperties":false},
             {"type":"object","properties":{"kind":{"const":"cube"},"a":{"type":"integer"}},"required":["kind","a"],
             "additionalProperties":false},{"type":"array","items":{"type":"null"},"minItems":2,"maxItems":4}]}""",
            """
            {"oneOf":[{"$ref":"#/definitions/a"},{"$ref":"#/definitions/b"}],"definitions":{
             "a":{"type":"object","properties":{"v":{"$ref":"#/definitions/c"},"x":{"type":"null"}},"required":["v","x"],"additionalProperties":false},
             "b":{"type":"object","properties":{"v":{"$ref":"#/definitions/c"},"y":{"type":"null"}},"required":["v","y"],"additionalProperties":false},
             "c":{"oneOf":[{"type":"string"},{"$ref":"#/definitions/a"},{"$ref":"#/definitions/b"}]}}}""",
            """
            {"type":"array","items":{"type":"string","minLength":2,"maxLength":5},"minItems":1}""",
            """
            {"type":"array","items":{"type":"string","pattern":"^[a-z\\"\\\\\\\\]{2,3}(€|\\\\n)?$"},"maxItems":3}""",
            """
            {"type":"string","pattern":"b|^c"}""",
            """
            {"type":["string","integer","null","boolean"]}""",
            "{\"type\":\"array\"}",
            "{\"type\":\"object\"}",
            "true");

    @Test
    void everythingDrawnSatisfiesItsSchema() throws JsonProcessingException {
        List<TokenTable> tables = List.of(
                Vocabularies.bytes(), Vocabularies.pieces(1), Vocabularies.pieces(2), Vocabularies.characters());
        for (String source : SCHEMAS) {
            SchemaCheck check = new SchemaCheck(JSON.readTree(source));
            for (TokenTable table : tables) {
                TokenGuide guide = guide(source, table);
                Random random = new Random(5);
                for (int i = 0; i < 25; i++) {
                    String text = Walk.of(guide, table, random, 4 * i, () -> Walk.CLOSING)
                            .text();

                    assertThat(check.accepts(JSON.readTree(text)))
                            .as("%s for %s", text, source)
                            .isTrue();
                }
            }
        }
    }

    @Test
    void anyObjectIsWrittenByTheObjectGuide() throws JsonProcessingException {
        TokenTable table = Vocabularies.pieces(3);
        TokenGuide guide = new TokenGuide(new GuideSpec(GuideSpec.Kind.JSON_OBJECT, "").compile(), table);
        Random random = new Random(11);

        for (int i = 0; i < 200; i++) {
            String text = Walk.of(guide, table, random, i, () -> Walk.CLOSING).text();
            assertThat(JSON.readTree(text).isObject()).as(text).isTrue();
        }
        assertThat(accepts(guide, "{\"a\": [1.5e3, {\"b\":\"\\ud83d\\ude00\\u00e9\"}], \"c\":null}"))
                .isTrue();
        assertThat(accepts(guide, "[]")).isFalse();
        assertThat(accepts(guide, "{\"a\":01}")).isFalse();
        assertThat(accepts(guide, "{\"a\":\"\\ud83d\"}")).isFalse();
        assertThat(accepts(guide, "{\"a\":1,}")).isFalse();
    }

    @Test
    void documentsOfASchemaAreAccepted() {
        accepted(
                0,
                "{\"name\":\"x\\u0041\", \"age\": null,\"tags\":[\"a\", \"b\\\"\\n\",\"€😀\"],"
                        + "\"kind\":{\"x\":[1,-2.5,null,true]},\"ok\":true,\"n\":-0.5E+10}");
        accepted(1, "{\"c\":[]}");
        accepted(1, "{\"a\":1, \"c\":{\"any\": [0]}, \"d\":null}");
        accepted(2, "{\"ab\":1, \"z\":\"\", \"aa\":\"abc\", \"abc\":\"€€€\"}");
        accepted(4, "{\"value\":1,\"children\":[{\"value\":-2, \"children\":[]}]}");
        accepted(6, "{\"kind\":\"cube\",\"a\":3}");
        accepted(6, "{\"kind\":\"circle\",\"r\":3}");
        accepted(7, "{\"v\":{\"v\":{\"v\":\"s\",\"y\":null},\"x\":null},\"y\":null}");
        accepted(9, "[\"ab\",\"\\\"\\\\z€\",\"xyz\\n\"]");
        accepted(10, "\"ab\\n\"");
        accepted(10, "\"czz\"");
    }

    @Test
    void otherDocumentsAreRefused() {
        refused(1, "{}");
        refused(1, "{\"c\":1,\"a\":1}");
        refused(1, "{\"c\":1,\"e\":1}");
        refused(2, "{\"ab\":1,\"z\":\"\",\"ab\":\"\"}");
        refused(2, "{\"ab\":1,\"z\":\"\",\"a\":\"\"}");
        refused(2, "{\"ab\":1,\"z\":\"\",\"x\":\"abcd\"}");
        refused(4, "{\"value\":1,\"children\":[null]}");
        refused(6, "{\"kind\":\"cube\",\"r\":3}");
        refused(6, "[null]");
        refused(8, "[\"a\"]");
        refused(10, "\"acz\"");
        refused(11, "1.5");
    }

    @Test
    void recursionEndsBeforeItsLimit() {
        TokenGuide guide = guide(SCHEMAS.get(5), Vocabularies.bytes());
        StringBuilder text = new StringBuilder();
        GuideState state = guide.start();
        while (guide.mask(state).allows(2 + '{')) {
            Ints more = Vocabularies.tokens("{\"next\":");
            for (int i = 0; i < more.size(); i++) {
                state = guide.advance(state, more.get(i));
            }
            text.append("{\"next\":");
        }

        assertThat(text.length() / 8).isBetween(60, 70);
        assertThat(accepts(guide, text + "null" + "}".repeat(text.length() / 8)))
                .isTrue();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '!',
            quoteCharacter = '`',
            value = {
                "{\"type\":\"number\",\"minimum\":1} ! #: the keyword minimum is not supported",
                "{\"type\":\"object\",\"properties\":{\"a\":{\"not\":{}}}} ! #/properties/a: the keyword not is not supported",
                "{\"type\":\"object\",\"patternProperties\":{}} ! #: the keyword patternProperties is not supported",
                "{\"type\":\"object\",\"minLength\":1} ! #: the keyword minLength says nothing of the type [object]",
                "{\"type\":\"array\",\"uniqueItems\":true} ! #: the keyword uniqueItems is not supported",
                "{\"type\":\"string\",\"format\":\"email\"} ! #: format=\"email\" is not supported; date, date-time, time and uuid are",
                "{\"type\":\"text\"} ! #: the type \"text\" is not one of [object, array, string, number, integer, boolean, null]",
                "{\"anyOf\":[{}],\"type\":\"object\"} ! #: the keyword anyOf is not supported beside type",
                "{\"$ref\":\"#/$defs/a\"} ! #: $ref=\"#/$defs/a\" leads nowhere",
                "{\"$ref\":\"other.json\"} ! #: $ref=\"other.json\", expected a place in this document, such as #/$defs/name",
                "{\"allOf\":[{},{}]} ! #: allOf with 2 schemas is not supported, only with one",
                "{\"type\":\"array\",\"minItems\":3,\"maxItems\":2} ! #: minItems=3 is above maxItems=2",
                "{\"type\":\"array\",\"items\":{},\"maxItems\":100000} ! #: maxItems=100000, expected 0 to 1000",
                "{\"type\":\"string\",\"pattern\":\"(\"} ! #: pattern: regular expression, position 0: this group is not closed",
                "{\"type\":\"object\",\"properties\":{},\"required\":[\"a\"]} ! #: required names [a], which properties does not have",
                "{\"type\":\"integer\",\"enum\":[\"a\"]} ! #: no value has the type [integer]",
                "{\"enum\":[]} ! #: enum=[], expected an array that is not empty",
                "{\"items\":false} ! #/items: false, expected an object or true"
            })
    void refusesByName(String schema, String message) {
        assertThatThrownBy(() -> new GuideSpec(GuideSpec.Kind.JSON_SCHEMA, schema).compile())
                .isInstanceOf(GuideException.class)
                .hasMessage("JSON schema, " + message);
    }

    @Test
    void refusesSchemasThatNothingFiniteSatisfies() {
        refuses(
                "{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}",
                "nothing satisfies");
        refuses("{\"$ref\":\"#\"}", "$ref leads to itself");
        refuses(
                "{\"anyOf\":[{\"$ref\":\"#/$defs/a\"},{\"type\":\"null\"}],\"$defs\":{\"a\":{\"$ref\":\"#\"}}}",
                "leads to itself");
    }

    @Test
    void refusesHostileSchemasPromptly() {
        refuses("{".repeat(100_000), "no valid JSON");
        refuses("{\"items\":".repeat(10_000) + "{}" + "}".repeat(10_000), "no valid JSON");
        refuses(" ".repeat(200_000), "it has 200000 characters, expected at most 131072");
        refuses("{\"type\":\"null\",\"type\":\"null\"}", "Duplicate field 'type'");
        refuses("{\"const\":\"" + "\\ud83d" + "\"}", "half a surrogate pair");
        String values = IntStream.range(0, 9_000)
                .mapToObj(i -> "\"" + Integer.toHexString(i * 7919) + i + "\"")
                .collect(Collectors.joining(",", "[", "]"));
        refuses("{\"enum\":" + values + "}", "more than");
        refuses(chain(2_000), "nothing satisfies");
    }

    /** Objects that each must have the next one within. */
    private static String chain(int length) {
        String rules = IntStream.range(0, length)
                .mapToObj(i -> "\"%d\":{\"items\":{\"$ref\":\"#/$defs/%d\"},\"minItems\":1}".formatted(i, i + 1))
                .collect(Collectors.joining(","));
        return "{\"$ref\":\"#/$defs/0\",\"$defs\":{%s,\"%d\":{\"type\":\"null\"}}}".formatted(rules, length);
    }

    @Test
    void schemasWithManyReadingsOfOneTextStayBounded() {
        String either = IntStream.range(0, 40)
                .mapToObj(i ->
                        "{\"properties\":{\"v\":{\"$ref\":\"#\"},\"k%d\":{\"type\":\"null\"}},\"required\":[\"v\",\"k%d\"]}"
                                .formatted(i, i))
                .collect(Collectors.joining(","));
        TokenGuide guide = guide("{\"anyOf\":[{\"type\":\"null\"},%s]}".formatted(either), Vocabularies.bytes());
        Ints deep = Vocabularies.tokens("{\"v\":".repeat(50) + "null");

        GuideState state = guide.after(deep);
        assertThat(guide.mask(state).count()).isEqualTo(1);
        for (int i = 0; i < 50; i++) {
            for (int j = 0; j < 4_000 && !guide.mask(state).allows(2 + '}'); j++) {
                state = guide.advance(state, guide.mask(state).next(0));
            }
            state = guide.advance(state, 2 + '}');
        }
        assertThat(state.accepts()).isTrue();
    }

    @Test
    void layersOfReferencesThatMeetAgainStayBounded() {
        String layers = IntStream.range(0, 60)
                .mapToObj(i -> ("\"a%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/a%d\"},{\"$ref\":\"#/$defs/b%d\"}]},"
                                + "\"b%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/b%d\"},{\"$ref\":\"#/$defs/a%d\"}]}")
                        .formatted(i, i + 1, i + 1, i, i + 1, i + 1))
                .collect(Collectors.joining(","));
        TokenGuide guide = guide(
                "{\"$ref\":\"#/$defs/a0\",\"$defs\":{%s,\"a60\":{\"type\":\"null\"},\"b60\":{\"type\":\"boolean\"}}}"
                        .formatted(layers),
                Vocabularies.bytes());

        assertThat(guide.mask(guide.start()).count()).isEqualTo(3);
    }

    private static void refuses(String schema, String message) {
        assertThatThrownBy(() -> guide(schema, Vocabularies.bytes()))
                .isInstanceOf(GuideException.class)
                .hasMessageContaining(message);
    }

    private static void accepted(int schema, String document) {
        assertThat(accepts(guide(SCHEMAS.get(schema), Vocabularies.bytes()), document))
                .as(document)
                .isTrue();
    }

    private static void refused(int schema, String document) {
        assertThat(accepts(guide(SCHEMAS.get(schema), Vocabularies.bytes()), document))
                .as(document)
                .isFalse();
    }

    private static TokenGuide guide(String schema, TokenTable table) {
        return new TokenGuide(new GuideSpec(GuideSpec.Kind.JSON_SCHEMA, schema).compile(), table);
    }

    private static boolean accepts(TokenGuide guide, String text) {
        Ints tokens = Vocabularies.tokens(text);
        GuideState state = guide.start();
        for (int i = 0; i < tokens.size(); i++) {
            if (!guide.mask(state).allows(tokens.get(i))) {
                return false;
            }
            state = guide.advance(state, tokens.get(i));
        }
        return state.accepts();
    }
}
