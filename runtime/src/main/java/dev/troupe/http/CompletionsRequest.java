package dev.troupe.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.TextRequest;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Reads the body of {@code POST /v1/completions}. */
final class CompletionsRequest {
    private static final int MOST_PROMPTS = 128;
    private static final int STANDARD_TOKENS = 16;

    private CompletionsRequest() {}

    /**
     * The call.
     *
     * @throws ApiError naming the field that is wrong
     */
    static GenerationCall read(ObjectNode body, ServedModel model, Duration deadline) {
        Fields fields = new Fields(body, "");
        SamplingFields.requireModel(fields, model);
        List<Ints> prompts = prompts(fields, model);
        boolean stream = fields.flag("stream", false);
        int shown = SamplingFields.choices(fields, "n", 1);
        int drawn = SamplingFields.choices(fields, "best_of", shown);
        if (drawn < shown || (stream && drawn > shown)) {
            throw ApiError.invalid(
                    "best_of",
                    "best_of=%d with n=%d, expected at least n, and n itself where stream=true"
                            .formatted(drawn, shown));
        }
        int logprobs = fields.whole("logprobs", -1, 0, SamplingParameters.MAX_TOP_LOGPROBS);
        boolean echo = fields.flag("echo", false);
        if (echo && logprobs >= 0) {
            throw ApiError.invalid("echo", "echo does not work together with logprobs; leave one of them out");
        }
        int longest = prompts.stream().mapToInt(Ints::size).max().orElse(0);
        long asked = fields.whole("max_tokens", 1, Integer.MAX_VALUE).orElse(-1);
        int maxTokens = SamplingFields.maxTokens("max_tokens", asked, longest, STANDARD_TOKENS, model);
        SamplingParameters sampling = SamplingFields.sampling(
                        fields, model, drawn > shown ? Math.max(0, logprobs) : logprobs)
                .withGuide(GuideFields.completion(fields));
        TextRequest request = new TextRequest(
                new TextRequest.Tokens(prompts.getFirst()),
                maxTokens,
                sampling,
                drawn,
                SamplingFields.stops(fields),
                fields.flag("ignore_eos", false),
                false,
                deadline,
                SamplingFields.cacheSalt(fields));
        TextRequest timed = SamplingFields.timed(fields, request);
        boolean usage = SamplingFields.includeUsage(fields, stream);
        boolean resumable = SamplingFields.resumable(fields, stream);
        fields.refuse("suffix", "\"\"", "the models here continue a text and do not fill gaps");
        fields.text("user");
        fields.requireNoOthers();
        return new GenerationCall(prompts, timed, shown, echo, stream, usage, resumable, logprobs >= 0);
    }

    private static List<Ints> prompts(Fields fields, ServedModel model) {
        JsonNode prompt = fields.value("prompt").orElseThrow(() -> ApiError.invalid("prompt", "prompt is missing"));
        List<Ints> prompts = new ArrayList<>();
        if (prompt.isTextual()) {
            prompts.add(encode(prompt.textValue(), model));
        } else if (prompt.isArray() && !prompt.isEmpty() && prompt.get(0).isIntegralNumber()) {
            prompts.add(tokens(fields, prompt, model));
        } else {
            for (JsonNode element : fields.array("prompt", MOST_PROMPTS)) {
                prompts.add(element.isTextual() ? encode(element.textValue(), model) : tokens(fields, element, model));
            }
        }
        if (prompts.isEmpty() || prompts.stream().anyMatch(Ints::isEmpty)) {
            throw ApiError.invalid("prompt", "prompt has no tokens, expected at least one");
        }
        return prompts;
    }

    private static Ints encode(String text, ServedModel model) {
        return model.requireTokenizer("prompt").encode(text);
    }

    private static Ints tokens(Fields fields, JsonNode array, ServedModel model) {
        if (!array.isArray()) {
            throw fields.expected("prompt", array, "a string, strings, token ids, or arrays of token ids");
        }
        int[] ids = new int[array.size()];
        for (int i = 0; i < ids.length; i++) {
            if (!array.get(i).canConvertToInt() || !array.get(i).isIntegralNumber()) {
                throw fields.expected("prompt", array.get(i), "token ids");
            }
            ids[i] = array.get(i).intValue();
        }
        Ints tokens = Ints.of(ids);
        model.requireKnown("prompt", tokens);
        return tokens;
    }
}
