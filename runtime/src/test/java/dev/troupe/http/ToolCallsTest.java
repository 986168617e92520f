package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.http.HttpResponse;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tools for a story teller that has never heard of any. */
class ToolCallsTest {
    private static final String CHAT = "/v1/chat/completions";
    private static final String WEATHER = """
            {"type": "function", "function": {"name": "weather", "strict": true, "parameters": {"type": "object",
              "properties": {"city": {"enum": ["Rome", "Bern"]}, "days": {"type": "integer"}},
              "required": ["city", "days"], "additionalProperties": false}}}""";
    private static final String FEED = """
            {"type": "function", "function": {"name": "feed", "description": "d", "parameters": {"type": "object",
              "properties": {"animal": {"type": "string", "maxLength": 8}}, "required": ["animal"]}}}""";

    private static Served served;

    @BeforeAll
    static void start() throws Exception {
        served = Served.start(Map.of("troupe.http.max-body", 1 << 20));
    }

    @AfterAll
    static void end() {
        served.close();
    }

    private static ObjectNode request(String more) throws Exception {
        return (ObjectNode) Served.JSON.readTree("""
                {"model": "tales", "messages": [{"role": "user", "content": "The cat is hungry."}], "tools": [%s, %s]%s}""".formatted(WEATHER, FEED, more));
    }

    private static JsonNode ask(ObjectNode request) throws Exception {
        HttpResponse<String> response = served.post(CHAT, request.toString());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return Served.json(response).at("/choices/0");
    }

    private static void requireValid(JsonNode call) throws Exception {
        assertThat(call.path("type").asText()).isEqualTo("function");
        assertThat(call.path("id").asText()).startsWith("call_");
        JsonNode arguments = Served.JSON.readTree(call.at("/function/arguments").textValue());
        switch (call.at("/function/name").asText()) {
            case "weather" -> {
                assertThat(arguments).hasSize(2);
                assertThat(arguments.path("city").asText()).isIn("Rome", "Bern");
                assertThat(arguments.path("days").isIntegralNumber()).isTrue();
            }
            case "feed" -> {
                assertThat(arguments).hasSize(1);
                assertThat(arguments.path("animal").asText().codePoints().count())
                        .isBetween(0L, 8L);
            }
            default -> throw new AssertionError("no such function: " + call);
        }
    }

    @Test
    void everyRequiredAnswerIsACallThatKeepsItsSchema() throws Exception {
        Set<String> names = new HashSet<>();
        for (int seed = 0; seed < 8; seed++) {
            JsonNode choice =
                    ask(request(", \"tool_choice\": \"required\", \"parallel_tool_calls\": false, \"seed\": " + seed));

            assertThat(choice.path("finish_reason").asText()).isEqualTo("tool_calls");
            assertThat(choice.at("/message/content").isNull()).isTrue();
            assertThat(choice.at("/message/tool_calls")).hasSize(1);
            requireValid(choice.at("/message/tool_calls/0"));
            names.add(choice.at("/message/tool_calls/0/function/name").asText());
        }
        assertThat(names).as("the model chooses").containsExactlyInAnyOrder("weather", "feed");
    }

    @Test
    void anAnswerMayHaveSeveralCalls() throws Exception {
        int endOfText = 2047;
        ObjectNode request = request(
                ", \"tool_choice\": \"required\", \"seed\": 1, \"logit_bias\": {\"%d\": -100}".formatted(endOfText));
        request.putArray("tools").addObject().putObject("function").put("name", "nap");

        JsonNode choice = ask(request);

        assertThat(choice.path("finish_reason").asText()).isEqualTo("length");
        JsonNode calls = choice.at("/message/tool_calls");
        assertThat(calls).hasSizeBetween(2, 16);
        assertThat(calls).extracting(call -> call.path("id").asText()).doesNotHaveDuplicates();
        for (int i = 0; i < calls.size() - 1; i++) {
            assertThat(calls.get(i).path("function").toString()).isEqualTo("{\"name\":\"nap\",\"arguments\":\"{}\"}");
        }
    }

    @Test
    void aNamedFunctionIsCalledOnce() throws Exception {
        JsonNode choice = ask(request(
                ", \"temperature\": 0, \"tool_choice\": {\"type\": \"function\", \"function\": {\"name\": \"feed\"}}"));

        assertThat(choice.path("finish_reason").asText()).isEqualTo("tool_calls");
        assertThat(choice.at("/message/tool_calls")).hasSize(1);
        assertThat(choice.at("/message/tool_calls/0/function/name").asText()).isEqualTo("feed");
        requireValid(choice.at("/message/tool_calls/0"));
    }

    /** The calls of a stream, put together by their index. */
    private static Map<Integer, String> streamed(List<String> data) throws Exception {
        Map<Integer, String> calls = new TreeMap<>();
        for (String event : data) {
            if (event.equals("[DONE]")) {
                continue;
            }
            for (JsonNode call : Served.JSON.readTree(event).at("/choices/0/delta/tool_calls")) {
                calls.merge(
                        call.path("index").asInt(),
                        call.at("/function/name").asText()
                                + call.at("/function/arguments").asText(),
                        String::concat);
            }
        }
        return calls;
    }

    @Test
    void aStreamHasTheSameCallsAndSoHasItsReplay() throws Exception {
        String more = ", \"seed\": 4, \"tool_choice\": \"required\", \"parallel_tool_calls\": false";
        JsonNode whole = ask(request(more));

        HttpResponse<String> stream = served.post(
                CHAT, request(more + ", \"stream\": true, \"resumable\": true").toString());
        List<String> ids = Served.ids(stream.body());
        String generation = ids.getFirst().substring(0, ids.getFirst().indexOf(':'));
        HttpResponse<String> replay = served.get("/v1/generations/%s?after=2".formatted(generation));

        List<String> data = Served.data(stream.body());
        assertThat(stream.body()).doesNotContain("tool_call>");
        Map<Integer, String> expected = new TreeMap<>();
        for (JsonNode call : whole.at("/message/tool_calls")) {
            expected.put(
                    expected.size(),
                    call.at("/function/name").asText()
                            + call.at("/function/arguments").asText());
        }
        assertThat(streamed(data)).isEqualTo(expected).isNotEmpty();
        assertThat(Served.data(replay.body())).isEqualTo(data.subList(3, data.size()));
        assertThat(replay.body())
                .contains("\"finish_reason\":\"%s\""
                        .formatted(whole.path("finish_reason").asText()));
    }

    @Test
    void withoutAChoiceTheModelDecides() throws Exception {
        JsonNode choice = ask(request(", \"temperature\": 0, \"max_tokens\": 20"));

        assertThat(choice.path("finish_reason").asText()).isEqualTo("length");
        assertThat(choice.at("/message/content").asText()).hasSizeGreaterThan(20);
        assertThat(choice.at("/message").has("tool_calls")).isFalse();
    }

    @Test
    void noneIsAsIfThereWereNoTools() throws Exception {
        ObjectNode none = request(", \"temperature\": 0, \"max_tokens\": 20, \"tool_choice\": \"none\"");
        ObjectNode without = none.deepCopy();
        without.remove(List.of("tools", "tool_choice"));

        assertThat(ask(none).path("message")).isEqualTo(ask(without).path("message"));
    }

    @Test
    void resultsOfCallsArePartOfTheConversation() throws Exception {
        ObjectNode request = request(", \"temperature\": 0, \"max_tokens\": 20");
        request.withArray("messages").add(Served.JSON.readTree("""
                {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function",
                 "function": {"name": "feed", "arguments": "{\\"animal\\": \\"cat\\"}"}}]}"""));
        request.withArray("messages")
                .add(Served.JSON.readTree("{\"role\": \"tool\", \"tool_call_id\": \"call_1\", \"content\": \"Fed.\"}"));
        ObjectNode other = request.deepCopy();
        ((ObjectNode) other.at("/messages/2")).put("content", "Once upon a time, there was a dragon who lived");

        assertThat(ask(request).at("/message/content").asText())
                .isNotEqualTo(ask(other).at("/message/content").asText());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "tools | 5 | tools | tools=5, expected an array of at most 128",
                "tools | [5] | tools[0] | tools[0] is no object",
                "tools | [{\"type\": \"custom\"}] | tools[0].type | tools[0].type, expected function",
                "tools | [{\"type\": \"function\"}] | tools[0].function | tools[0].function is missing",
                "tools | [{\"function\": {\"name\": \"a b\"}}] | tools[0].function.name | has 3 characters, expected 1 to 64 letters",
                "tools | [{\"function\": {\"name\": \"a\"}}, {\"function\": {\"name\": \"a\"}}] | tools[1].function.name | tools[1].function.name=a is taken",
                "tools | [{\"function\": {\"name\": \"a\", \"parameters\": 5}}] | tools[0].function.parameters | expected a JSON schema",
                "tools | [{\"function\": {\"name\": \"a\", \"parameters\": {\"type\": \"string\"}}}] | tools[0].function.parameters.type | expected a schema of type object",
                "tools | [{\"function\": {\"name\": \"a\", \"parameters\": {\"anyOf\": [true]}}}] | tools[0].function.parameters.type | expected a schema of type object",
                "tools | [{\"function\": {\"name\": \"a\", \"more\": 1}}] | tools[0].function.more | is no parameter of this request",
                "tool_choice | 5 | tool_choice | tool_choice=5, expected auto, none, required, or",
                "tool_choice | \"any\" | tool_choice | expected auto, none, required, or",
                "tool_choice | {\"type\": \"function\", \"function\": {\"name\": \"fly\"}} | tool_choice.function.name | expected one of tools: [weather, feed]",
                "tool_choice | {\"type\": \"custom\"} | tool_choice.type | expected function",
                "parallel_tool_calls | 1 | parallel_tool_calls | parallel_tool_calls=1, expected true or false",
                "response_format | {\"type\": \"json_object\"} | tools | tools exclude response_format",
                "functions | [{}] | functions | use tools",
            })
    void aValueThatIsWrongIsNamed(String field, String value, String param, String message) throws Exception {
        ObjectNode request = request("");
        request.set(field, Served.JSON.readTree(value));

        HttpResponse<String> response = served.post(CHAT, request.toString());

        assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
        assertThat(Served.json(response).at("/error/param").textValue()).isEqualTo(param);
        assertThat(Served.json(response).at("/error/message").textValue()).contains(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"role\": \"tool\", \"content\": \"x\"} | messages[0].tool_call_id | is missing",
                "{\"role\": \"assistant\"} | messages[0].content | is missing",
                "{\"role\": \"user\", \"content\": \"x\", \"tool_calls\": []} | messages[0].tool_calls | is no parameter",
                "{\"role\": \"assistant\", \"tool_calls\": [{\"function\": {\"name\": \"a\"}}]} | messages[0].tool_calls[0].id | is missing",
                "{\"role\": \"assistant\", \"tool_calls\": [{\"id\": \"i\", \"function\": {\"name\": \"a\", \"arguments\": \"[]\"}}]} | messages[0].tool_calls[0].function.arguments | a string of 2 characters, expected one that is a JSON object",
            })
    void aMessageThatIsWrongIsNamed(String said, String param, String message) throws Exception {
        ObjectNode request = request("");
        request.putArray("messages").add(Served.JSON.readTree(said));

        HttpResponse<String> response = served.post(CHAT, request.toString());

        assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
        assertThat(Served.json(response).at("/error/param").textValue()).isEqualTo(param);
        assertThat(Served.json(response).at("/error/message").textValue()).contains(message);
    }

    @Test
    void aSchemaThatCannotBeKeptIsRefusedOnlyWhereItMustBe() throws Exception {
        ObjectNode request = request(", \"max_tokens\": 2, \"tool_choice\": \"auto\"");
        request.withArray("tools").add(Served.JSON.readTree("""
                {"type": "function", "function": {"name": "wait", "parameters": {"type": "object",
                 "properties": {"days": {"type": "integer", "minimum": 1}}}}}"""));

        assertThat(served.post(CHAT, request.toString()).statusCode()).isEqualTo(200);
        HttpResponse<String> required =
                served.post(CHAT, request.put("tool_choice", "required").toString());

        assertThat(required.statusCode()).isEqualTo(400);
        assertThat(Served.json(required).at("/error/param").textValue()).isEqualTo("tools[2].function.parameters");
        assertThat(Served.json(required).at("/error/message").textValue())
                .contains("the keyword minimum is not supported");
    }

    @Test
    void toolsHaveLimits() throws Exception {
        ObjectNode many = request("");
        for (int i = 0; i < 127; i++) {
            many.withArray("tools").addObject().putObject("function").put("name", "f" + i);
        }
        ObjectNode large = request("");
        ((ObjectNode) large.at("/tools/0/function/parameters")).put("description", "x".repeat(40_000));

        assertThat(served.post(CHAT, many.toString()).body())
                .contains("tools=an array of 129, expected an array of at most 128");
        assertThat(served.post(CHAT, large.toString()).body())
                .contains("tools[0].function.parameters has 40", "characters, expected at most 32768");
    }

    @Test
    void aChoiceNeedsTools() throws Exception {
        ObjectNode request = request(", \"max_tokens\": 2, \"tool_choice\": \"required\"");
        request.remove("tools");

        assertThat(served.post(CHAT, request.toString()).body()).contains("asks for a call, and there are no tools");
        assertThat(served.post(CHAT, request.put("tool_choice", "auto").toString())
                        .statusCode())
                .isEqualTo(200);
    }
}
