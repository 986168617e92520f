package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.serving.FinishReason;
import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import dev.troupe.text.tools.Tool;
import dev.troupe.text.tools.ToolFormat;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What a client gets for texts that some model might write. */
class ToolAnswerTest {
    private static final Tool TIME = new Tool("time", "", JsonNodeFactory.instance.objectNode());
    private static final ToolUse AUTO = new ToolUse(List.of(TIME), List.of(), true);

    private record Prompt(ToolFormat toolFormat) implements ServedModel.ChatPrompt {
        @Override
        public String of(ArrayNode messages, ArrayNode tools) {
            return messages.toString() + tools;
        }
    }

    private static ToolAnswer answer(ToolFormat format, @Nullable Tokenizer tokenizer) {
        ServedModel model = new ServedModel("m", tokenizer, new Prompt(format), 512, 5000, 128, 0);
        TextRequest request = TextRequest.greedy("", 100);
        GenerationCall call = new GenerationCall(List.of(Ints.of(1)), request, 1, false, true, false, false, false);
        return new ToolAnswer(call, model, AUTO);
    }

    private static TextEvent.Token token(int id, String text) {
        return new TextEvent.Token(0, 0, id, text, 0, 0, List.of(), "");
    }

    private static List<ObjectNode> stream(ToolAnswer answer, FinishReason reason, String... texts) {
        List<ObjectNode> chunks = new ArrayList<>();
        for (String text : texts) {
            chunks.addAll(answer.take(0, token(7, text)));
        }
        chunks.addAll(answer.take(0, new TextEvent.Ended(0, reason, "")));
        return chunks;
    }

    private static List<String> deltas(List<ObjectNode> chunks) {
        return chunks.stream()
                .map(chunk -> chunk.at("/choices/0/delta"))
                .filter(delta -> !delta.isEmpty())
                .map(JsonNode::toString)
                .toList();
    }

    private static List<String> reasons(List<ObjectNode> chunks) {
        return chunks.stream()
                .map(chunk -> chunk.at("/choices/0/finish_reason").asText())
                .filter(reason -> !reason.equals("null"))
                .toList();
    }

    @Test
    void deltasHaveTheNameFirstAndThenPiecesOfTheArguments() {
        ToolAnswer answer = answer(ToolFormat.HERMES, null);

        List<ObjectNode> chunks = stream(
                answer,
                FinishReason.STOP,
                "Well. ",
                "<tool_call>",
                "\n{\"name\": \"time\"",
                ", \"arguments\": {\"zone\"",
                ": \"CET\"}}",
                "\n</tool_call>");

        JsonNode whole = answer.whole().at("/choices/0");
        String id = whole.at("/message/tool_calls/0/id").asText();
        assertThat(id).matches("call_[0-9a-f]{24}");
        assertThat(deltas(chunks))
                .containsExactly(
                        "{\"role\":\"assistant\",\"content\":\"Well.\"}",
                        "{\"tool_calls\":[{\"index\":0,\"id\":\"%s\",\"type\":\"function\",\"function\":{\"name\":\"time\",\"arguments\":\"\"}}]}"
                                .formatted(id),
                        "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"zone\\\"\"}}]}",
                        "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\": \\\"CET\\\"}\"}}]}");
        assertThat(reasons(chunks)).containsExactly("tool_calls");
        assertThat(whole.at("/message/content").asText()).isEqualTo("Well.");
        assertThat(whole.at("/message/tool_calls/0/function").toString())
                .isEqualTo("{\"name\":\"time\",\"arguments\":\"{\\\"zone\\\": \\\"CET\\\"}\"}");
        assertThat(whole.path("finish_reason").asText()).isEqualTo("tool_calls");
    }

    @Test
    void callsHaveIdsOfTheirOwnThatStayTheSame() {
        ToolAnswer answer = answer(ToolFormat.HERMES, null);
        String call = "<tool_call>{\"name\": \"time\"}</tool_call>";

        List<ObjectNode> chunks = stream(answer, FinishReason.STOP, call + call);

        List<String> streamed = deltas(chunks).stream()
                .filter(delta -> delta.contains("\"id\""))
                .map(delta -> delta.replaceAll(".*\"id\":\"(\\w+)\".*", "$1"))
                .toList();
        List<String> whole = StreamSupport.stream(
                        answer.whole().at("/choices/0/message/tool_calls").spliterator(), false)
                .map(one -> one.path("id").asText())
                .toList();
        assertThat(streamed).hasSize(2).doesNotHaveDuplicates().isEqualTo(whole);
        assertThat(answer.whole().at("/choices/0/message/content").isNull()).isTrue();
    }

    @Test
    void aCallThatIsCutEndsForItsLength() {
        ToolAnswer early = answer(ToolFormat.HERMES, null);
        ToolAnswer late = answer(ToolFormat.HERMES, null);

        List<ObjectNode> before = stream(early, FinishReason.LENGTH, "<tool_call>{\"na");
        List<ObjectNode> within =
                stream(late, FinishReason.LENGTH, "<tool_call>{\"name\": \"time\", \"arguments\": {\"a");

        assertThat(deltas(before)).containsExactly("{\"role\":\"assistant\",\"content\":null}");
        assertThat(reasons(before)).containsExactly("length");
        assertThat(early.whole().at("/choices/0/message").has("tool_calls")).isFalse();
        assertThat(reasons(within)).containsExactly("length");
        assertThat(late.whole()
                        .at("/choices/0/message/tool_calls/0/function/arguments")
                        .asText())
                .isEqualTo("{\"a");
    }

    @Test
    void textWithoutCallsIsContentAsEver() {
        ToolAnswer answer = answer(ToolFormat.LLAMA, null);

        List<ObjectNode> chunks = stream(answer, FinishReason.STOP, "It is ", "late.");

        assertThat(deltas(chunks))
                .containsExactly("{\"role\":\"assistant\",\"content\":\"It is\"}", "{\"content\":\" late.\"}");
        assertThat(reasons(chunks)).containsExactly("stop");
        assertThat(answer.whole().at("/choices/0/message").toString())
                .isEqualTo("{\"role\":\"assistant\",\"content\":\"It is late.\",\"refusal\":null}");
    }

    @Test
    void aMarkerThatIsATokenWithoutTextIsSeenAllTheSame() throws Exception {
        JsonNode file = Served.JSON.readTree(
                Path.of("src", "main", "models", "tales", "tokenizer.json").toFile());
        int marker = 3000;
        ((ArrayNode) file.path("added_tokens"))
                .addObject()
                .put("id", marker)
                .put("content", "[TOOL_CALLS]")
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false)
                .put("special", true);
        ToolAnswer answer = answer(ToolFormat.MISTRAL, Tokenizer.of("test", file));

        answer.take(0, token(7, "Now. "));
        answer.take(0, token(marker, ""));
        answer.take(0, token(7, " [{\"name\": \"time\", \"arguments\": {}}]"));
        answer.take(0, new TextEvent.Ended(0, FinishReason.STOP, ""));

        JsonNode message = answer.whole().at("/choices/0/message");
        assertThat(message.path("content").asText()).isEqualTo("Now.");
        assertThat(message.at("/tool_calls/0/function/name").asText()).isEqualTo("time");
    }
}
