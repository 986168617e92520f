package dev.troupe.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.TextRequest;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

/** Reads the body of {@code POST /v1/chat/completions}. */
final class ChatRequest {
    private static final int MOST_MESSAGES = 4096;
    private static final Set<String> ROLES = Set.of("system", "developer", "user", "assistant", "tool");

    private ChatRequest() {}

    /**
     * The call.
     *
     * @throws ApiError naming the field that is wrong
     */
    static GenerationCall read(ObjectNode body, ServedModel model, Duration deadline) {
        Fields fields = new Fields(body, "");
        SamplingFields.requireModel(fields, model);
        Ints prompt = prompt(fields, model);
        boolean stream = fields.flag("stream", false);
        int choices = SamplingFields.choices(fields, "n", 1);
        boolean logprobs = fields.flag("logprobs", false);
        int top = fields.whole("top_logprobs", 0, 0, SamplingParameters.MAX_TOP_LOGPROBS);
        if (top > 0 && !logprobs) {
            throw ApiError.invalid("top_logprobs", "top_logprobs=%d needs logprobs=true".formatted(top));
        }
        OptionalLong old = fields.whole("max_tokens", 1, Integer.MAX_VALUE);
        OptionalLong asked = fields.whole("max_completion_tokens", 1, Integer.MAX_VALUE);
        if (old.isPresent() && asked.isPresent()) {
            throw ApiError.invalid("max_tokens", "max_tokens and max_completion_tokens exclude each other");
        }
        String name = asked.isPresent() ? "max_completion_tokens" : "max_tokens";
        int maxTokens =
                SamplingFields.maxTokens(name, asked.orElse(old.orElse(-1)), prompt.size(), Integer.MAX_VALUE, model);
        TextRequest request = new TextRequest(
                        new TextRequest.Tokens(prompt),
                        maxTokens,
                        SamplingFields.sampling(fields, model, logprobs ? top : -1)
                                .withGuide(GuideFields.chat(fields)),
                        choices,
                        SamplingFields.stops(fields),
                        fields.flag("ignore_eos", false),
                        false,
                        deadline,
                        SamplingFields.cacheSalt(fields))
                .withStopTokens(SamplingFields.stopTokens(fields, model));
        TextRequest timed = SamplingFields.timed(fields, request);
        boolean usage = SamplingFields.includeUsage(fields, stream);
        boolean resumable = SamplingFields.resumable(fields, stream);
        refuseOthers(fields);
        return new GenerationCall(List.of(prompt), timed, choices, false, stream, usage, resumable, logprobs);
    }

    /** What the API knows and this server does not do; what only describes a request is taken. */
    private static void refuseOthers(Fields fields) {
        fields.refuse("tools", "[]", "tool calls are not supported");
        fields.refuse("tool_choice", "\"none\"", "tool calls are not supported");
        fields.refuse("parallel_tool_calls", "true", "tool calls are not supported");
        fields.refuse("functions", "[]", "tool calls are not supported");
        fields.refuse("function_call", "\"none\"", "tool calls are not supported");
        fields.refuse("modalities", "[\"text\"]", "only text is supported");
        fields.refuse("store", "false", "nothing is stored");
        fields.text("user");
        fields.object("metadata");
        fields.requireNoOthers();
    }

    private static Ints prompt(Fields fields, ServedModel model) {
        List<JsonNode> given = fields.array("messages", MOST_MESSAGES);
        if (given.isEmpty()) {
            throw ApiError.invalid("messages", "messages is missing or empty, expected at least one");
        }
        ArrayNode messages = JsonNodeFactory.instance.arrayNode();
        for (int i = 0; i < given.size(); i++) {
            messages.add(message(given.get(i), "messages[%d]".formatted(i)));
        }
        String text = model.chat(messages);
        Ints prompt = model.requireTokenizer("messages").encodeWithoutSpecial(text);
        if (prompt.isEmpty()) {
            throw ApiError.invalid("messages", "the chat template of %s makes no prompt of them".formatted(model.id()));
        }
        return prompt;
    }

    private static ObjectNode message(JsonNode given, String at) {
        if (!(given instanceof ObjectNode object)) {
            throw ApiError.invalid(at, at + " is no object");
        }
        Fields fields = new Fields(object, at + ".");
        String role = fields.text("role").orElse("");
        if (!ROLES.contains(role)) {
            throw ApiError.invalid(
                    at + ".role",
                    "%s.role, expected one of %s"
                            .formatted(at, ROLES.stream().sorted().toList()));
        }
        ObjectNode message = JsonNodeFactory.instance.objectNode();
        message.put("role", role.equals("developer") ? "system" : role);
        message.put("content", content(fields, at));
        fields.text("name").ifPresent(name -> message.put("name", name));
        fields.text("tool_call_id").ifPresent(id -> message.put("tool_call_id", id));
        fields.value("refusal");
        fields.refuse("tool_calls", "[]", "tool calls are not supported");
        fields.requireNoOthers();
        return message;
    }

    /** A text, or the texts of its parts one after the other. */
    private static String content(Fields fields, String at) {
        JsonNode content = fields.value("content")
                .orElseThrow(() -> ApiError.invalid(at + ".content", at + ".content is missing"));
        if (content.isTextual()) {
            return content.textValue();
        }
        StringBuilder text = new StringBuilder();
        for (JsonNode part : fields.array("content", MOST_MESSAGES)) {
            if (!part.path("type").asText().equals("text") || !part.path("text").isTextual()) {
                throw ApiError.invalid(
                        at + ".content", at + ".content has a part that is no text; only type=text is supported");
            }
            text.append(part.path("text").textValue());
        }
        return text.toString();
    }
}
