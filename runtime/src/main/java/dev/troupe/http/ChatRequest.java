package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.TextRequest;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** Reads the body of {@code POST /v1/chat/completions}. */
final class ChatRequest {
    private ChatRequest() {}

    /**
     * What the client gets, when it has been generated.
     *
     * @throws ApiError naming the field that is wrong
     */
    static ChatAnswer read(ObjectNode body, ServedModel model, Duration deadline) {
        return read(body, model, deadline, null);
    }

    /**
     * The same.
     *
     * @param known the prompt that the messages became, if they are not in the body any more
     */
    static ChatAnswer read(ObjectNode body, ServedModel model, Duration deadline, @Nullable Ints known) {
        Fields fields = new Fields(body, "");
        SamplingFields.requireModel(fields, model);
        ToolUse tools = ToolFields.read(fields);
        Ints prompt = known == null ? prompt(fields, model, tools) : known;
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
                                .withGuide(tools.guide(GuideFields.chat(fields), model)),
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
        GenerationCall call =
                new GenerationCall(List.of(prompt), timed, choices, false, stream, usage, resumable, logprobs);
        return tools.shown().isEmpty() ? new ChatAnswer(call, model) : new ToolAnswer(call, model, tools);
    }

    /** What the API knows and this server does not do; what only describes a request is taken. */
    private static void refuseOthers(Fields fields) {
        fields.refuse("functions", "[]", "use tools");
        fields.refuse("function_call", "\"none\"", "use tool_choice");
        fields.refuse("modalities", "[\"text\"]", "only text is supported");
        fields.refuse("store", "false", "nothing is stored");
        fields.text("user");
        fields.object("metadata");
        fields.requireNoOthers();
    }

    private static Ints prompt(Fields fields, ServedModel model, ToolUse tools) {
        String text = model.chat(ChatMessages.read(fields), tools.shown());
        if (tools.isForced()) {
            text += model.toolFormat().opening();
        }
        Ints prompt = model.requireTokenizer("messages").encodeWithoutSpecial(text);
        if (prompt.isEmpty()) {
            throw ApiError.invalid("messages", "the chat template of %s makes no prompt of them".formatted(model.id()));
        }
        return prompt;
    }
}
