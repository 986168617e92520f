package dev.troupe.http;

import dev.troupe.client.TextRequest;
import dev.troupe.serving.Precedence;
import dev.troupe.tensor.Ints;
import java.util.List;

/**
 * A request for completions, read and checked.
 *
 * @param prompts at least one, each with completions of its own
 * @param request what every prompt asks for; its own prompt does not count
 * @param shown completions of every prompt that the client gets: the best of those that are drawn
 * @param echo whether the prompt's text stands before the completion's
 * @param stream whether tokens are sent as they come
 * @param includeUsage whether a stream ends with what it used
 * @param resumable whether the stream goes on when the client hangs up
 * @param logprobs whether log-probabilities are shown
 */
record GenerationCall(
        List<Ints> prompts,
        TextRequest request,
        int shown,
        boolean echo,
        boolean stream,
        boolean includeUsage,
        boolean resumable,
        boolean logprobs) {
    GenerationCall {
        prompts = List.copyOf(prompts);
    }

    /** The request of a tenant for one of the prompts: tenants never share what was computed. */
    TextRequest of(String tenant, int prompt) {
        return request.withPrompt(new TextRequest.Tokens(prompts.get(prompt)))
                .withCacheSalt(tenant + ":" + request.cacheSalt())
                .withPrecedence(new Precedence(request.precedence().priority(), tenant));
    }

    /** The same for other prompts. */
    GenerationCall withPrompts(List<Ints> others) {
        return new GenerationCall(others, request, shown, echo, stream, includeUsage, resumable, logprobs);
    }

    /** Tokens that it may take, those of prompts included. */
    long mostTokens() {
        return prompts.stream()
                .mapToLong(prompt -> prompt.size() + (long) request.maxTokens() * request.choices())
                .sum();
    }

    /** Whether the log-probabilities of the prompt's tokens are shown. */
    boolean scoresPrompts() {
        return echo && logprobs;
    }

    /** Completions that are drawn for every prompt. */
    int drawn() {
        return request.choices();
    }
}
