package dev.troupe.text.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.junit.jupiter.api.Test;

class ToolMessagesTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CHAT = """
            [{"role": "user", "content": "Time?"},
             {"role": "assistant", "content": "", "tool_calls": [
               {"id": "call_a", "type": "function", "function": {"name": "time", "arguments": {"zone": "CET"}}},
               {"id": "B23456789", "type": "function", "function": {"name": "time", "arguments": {}}}]},
             {"role": "tool", "content": "one", "tool_call_id": "B23456789"},
             {"role": "tool", "content": "two", "tool_call_id": "call_a"},
             {"role": "user", "content": "Thanks."}]""";

    private static ArrayNode chat(ToolFormat format) throws Exception {
        return ToolMessages.of(format, (ArrayNode) JSON.readTree(CHAT));
    }

    @Test
    void hermesTakesMessagesWithTheNamesOfResults() throws Exception {
        ArrayNode messages = (ArrayNode) JSON.readTree(CHAT);

        ArrayNode named = ToolMessages.of(ToolFormat.HERMES, messages);

        assertThat(named.at("/2/name").asText()).isEqualTo("time");
        ((ObjectNode) named.get(2)).remove("name");
        ((ObjectNode) named.get(3)).remove("name");
        assertThat(named).isEqualTo(messages).isEqualTo(JSON.readTree(CHAT));
    }

    @Test
    void llamaTakesOneCallAtATimeWithItsResult() throws Exception {
        ArrayNode messages = chat(ToolFormat.LLAMA);

        assertThat(messages)
                .extracting(message -> message.path("role").asText())
                .containsExactly("user", "assistant", "tool", "assistant", "tool", "user");
        assertThat(messages.get(1).path("tool_calls")).hasSize(1);
        assertThat(messages.get(2).path("content").asText()).isEqualTo("two");
        assertThat(messages.get(4).path("content").asText()).isEqualTo("one");
    }

    @Test
    void mistralTakesShortIds() throws Exception {
        ArrayNode messages = chat(ToolFormat.MISTRAL);

        String made = messages.at("/1/tool_calls/0/id").asText();
        assertThat(made)
                .matches("[a-z0-9]{9}")
                .isEqualTo(messages.at("/3/tool_call_id").asText());
        assertThat(messages.at("/1/tool_calls/1/id").asText()).isEqualTo("B23456789");
    }

    @Test
    void aToldModelSeesCallsAndResultsAsText() throws Exception {
        ArrayNode messages = chat(ToolFormat.TOLD);

        assertThat(messages).isEqualTo(JSON.readTree("""
                [{"role": "user", "content": "Time?"},
                 {"role": "assistant", "content": "<tool_call>\\n{\\"name\\": \\"time\\", \\"arguments\\": {\\"zone\\":\\"CET\\"}}\\n</tool_call>\\n<tool_call>\\n{\\"name\\": \\"time\\", \\"arguments\\": {}}\\n</tool_call>"},
                 {"role": "user", "content": "<tool_response>\\none\\n</tool_response>\\n<tool_response>\\ntwo\\n</tool_response>"},
                 {"role": "user", "content": "Thanks."}]"""));
    }

    @Test
    void toolsAreToldInTheMessageOfTheSystemOrOfTheUser() throws Exception {
        List<Tool> tools = List.of(new Tool("time", "Tells it.", JSON.createObjectNode()));
        ArrayNode messages = (ArrayNode) JSON.readTree("[{\"role\": \"user\", \"content\": \"Time?\"}]");

        ArrayNode apart = ToolMessages.told(messages, tools, false);
        ArrayNode within = ToolMessages.told(messages, tools, true);
        ArrayNode added = ToolMessages.told(apart, tools, false);

        assertThat(messages).hasSize(1);
        assertThat(apart).hasSize(2);
        assertThat(apart.at("/0/role").asText()).isEqualTo("system");
        assertThat(apart.at("/0/content").asText())
                .contains("{\"name\":\"time\",\"description\":\"Tells it.\",\"parameters\":{}}", "<tool_call>");
        assertThat(within).hasSize(1);
        assertThat(within.at("/0/content").asText()).contains("\"time\"").endsWith("\n\nTime?");
        assertThat(added).hasSize(2);
    }
}
