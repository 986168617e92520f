package dev.troupe.sampling.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.sampling.guide.automaton.GuideException;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CallsGuideTest {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /** Two of them have a reference of the same name, to different things. */
    private static final List<String> SCHEMAS = List.of("""
            {"type":"object","properties":{"at":{"$ref":"#/$defs/place"}},"required":["at"],
             "$defs":{"place":{"type":"object","properties":{"city":{"type":"string","maxLength":5}},"required":["city"]}}}""", """
            {"type":"object","properties":{"at":{"$ref":"#/$defs/place"},"more":{"type":"array","items":{"$ref":"#"},"maxItems":2}},
             "required":["at"],"$defs":{"place":{"type":"integer"}}}""", """
            {"type":"object","properties":{}}""");

    private static String source(int most) throws JsonProcessingException {
        ObjectNode source = JSON.createObjectNode();
        source.put("first", "<call>")
                .put("between", "</call>\n<call>")
                .put("last", "</call>")
                .put("most", most);
        ArrayNode calls = source.putArray("calls");
        for (int i = 0; i < SCHEMAS.size(); i++) {
            ObjectNode call = calls.addObject();
            call.put("before", "{\"name\": \"%s\", \"arguments\": ".formatted("f".repeat(1 + i)));
            call.set("schema", JSON.readTree(SCHEMAS.get(i)));
            call.put("after", "}");
        }
        return source.toString();
    }

    @Test
    void everythingDrawnIsCallsThatSatisfyTheirSchemas() throws JsonProcessingException {
        Set<String> names = new HashSet<>();
        Set<Integer> counts = new HashSet<>();
        for (TokenTable table : List.of(Vocabularies.bytes(), Vocabularies.pieces(1), Vocabularies.characters())) {
            TokenGuide guide = new TokenGuide(new GuideSpec(GuideSpec.Kind.CALLS, source(3)).compile(), table);
            Random random = new Random(7);
            for (int i = 0; i < 100; i++) {
                String text = Walk.of(guide, table, random, 20 + 2 * i, () -> Walk.CLOSING)
                        .text();

                assertThat(text).startsWith("<call>").endsWith("</call>");
                String[] calls = text.substring("<call>".length(), text.length() - "</call>".length())
                        .split("</call>\n<call>", -1);
                counts.add(calls.length);
                for (String one : calls) {
                    JsonNode call = JSON.readTree(one);
                    String name = call.path("name").asText();
                    names.add(name);
                    SchemaCheck check = new SchemaCheck(JSON.readTree(SCHEMAS.get(name.length() - 1)));
                    assertThat(check.accepts(call.path("arguments"))).as(one).isTrue();
                }
            }
        }
        assertThat(names).containsExactlyInAnyOrder("f", "ff", "fff");
        assertThat(counts).containsExactlyInAnyOrder(1, 2, 3);
    }

    @Test
    void oneIsOne() throws JsonProcessingException {
        TokenTable table = Vocabularies.bytes();
        TokenGuide guide = new TokenGuide(new GuideSpec(GuideSpec.Kind.CALLS, source(1)).compile(), table);
        GuideState state = guide.start();

        for (int token : Vocabularies.tokens("<call>{\"name\": \"fff\", \"arguments\": {}}</call>")
                .toArray()) {
            state = guide.advance(state, token);
        }

        assertThat(state.accepts()).isTrue();
        assertThat(guide.mask(state).count()).as("only the two ends of a text").isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"most\":1,\"calls\":[]} | calls: 0 calls, expected an array of 1 to 128",
                "{\"most\":0,\"calls\":[{}]} | calls: most=0, expected 1 to 128",
                "{\"most\":1,\"calls\":[{\"schema\":true}]} | calls: before=nothing, expected a string",
                "{\"most\":1,\"calls\":[{\"before\":\"\",\"after\":\"\",\"schema\":true},{\"schema\":{\"minimum\":1}}]} | call 1: JSON schema, #: the keyword minimum is not supported",
            })
    void whatIsWrongIsNamed(String source, String message) {
        assertThatThrownBy(() -> new GuideSpec(GuideSpec.Kind.CALLS, source).compile())
                .isInstanceOf(GuideException.class)
                .hasMessageContaining(message);
    }
}
