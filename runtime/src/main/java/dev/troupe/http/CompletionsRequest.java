package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.TextRequest;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import java.util.Set;

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
        List<Ints> prompts = PromptFields.read(fields, "prompt", MOST_PROMPTS, model);
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
        boolean scores = echo && logprobs >= 0;
        int longest = prompts.stream().mapToInt(Ints::size).max().orElse(0);
        long asked = fields.whole("max_tokens", 0, Integer.MAX_VALUE).orElse(-1);
        if (asked == 0 && !scores) {
            throw ApiError.invalid(
                    "max_tokens",
                    "max_tokens=0, expected a whole number from 1, or 0 together with echo=true and logprobs");
        }
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
                        SamplingFields.cacheSalt(fields))
                .withStopTokens(SamplingFields.stopTokens(fields, model))
                .withReturned(scores ? Set.of(TextRequest.Returned.PROMPT_LOGPROBS) : Set.of());
        TextRequest timed = SamplingFields.timed(fields, request);
        boolean usage = SamplingFields.includeUsage(fields, stream);
        boolean resumable = SamplingFields.resumable(fields, stream);
        fields.refuse("suffix", "\"\"", "the models here continue a text and do not fill gaps");
        fields.text("user");
        fields.requireNoOthers();
        return new GenerationCall(prompts, timed, shown, echo, stream, usage, resumable, logprobs >= 0);
    }
}
