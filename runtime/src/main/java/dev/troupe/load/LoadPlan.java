package dev.troupe.load;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.openai.ApiClient;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * What to send, how fast, and for how long.
 *
 * @param model that is asked
 * @param pace when requests are sent
 * @param prompts of the requests
 * @param ask how they are answered
 * @param tenants on whose behalf, at least one
 * @param requests to send at most
 * @param duration after which no more are sent, or empty
 * @param warmUp requests sent before, which are not counted
 * @param timeout of one request
 * @param seed of the arrivals
 */
public record LoadPlan(
        String model,
        Pace pace,
        Prompts prompts,
        Ask ask,
        List<Tenant> tenants,
        long requests,
        Optional<Duration> duration,
        int warmUp,
        Duration timeout,
        long seed) {

    /**
     * What all requests want alike.
     *
     * @param maxTokens of an answer
     * @param ignoreEos whether to go on after the model's end-of-text token, so that every answer has as many tokens
     * @param stream whether tokens come as they are made
     * @param chat whether prompts are sent as messages of a chat
     */
    public record Ask(int maxTokens, boolean ignoreEos, boolean stream, boolean chat) {
        public Ask {
            if (maxTokens < 1) {
                throw new IllegalArgumentException("--max-tokens %d, expected at least 1".formatted(maxTokens));
            }
        }

        ApiClient.Route route() {
            return chat ? ApiClient.Route.CHAT : ApiClient.Route.COMPLETIONS;
        }
    }

    public LoadPlan {
        tenants = List.copyOf(tenants);
        if (tenants.isEmpty() || requests < 1 || warmUp < 0 || timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException(
                    "tenants=%d --requests %d --warm-up %d --timeout %s; expected at least 1, 1, 0 and more than 0s"
                            .formatted(tenants.size(), requests, warmUp, timeout));
        }
        if (duration.isPresent()
                && (duration.get().isNegative() || duration.get().isZero())) {
            throw new IllegalArgumentException("--duration %s, expected more than 0s".formatted(duration.get()));
        }
        if (pace instanceof Pace.Closed closed && closed.concurrency() < tenants.size()) {
            throw new IllegalArgumentException("--concurrency %d with %d tenants, expected at least one for each"
                    .formatted(closed.concurrency(), tenants.size()));
        }
    }

    /** The body of a request. */
    ObjectNode body(long request) {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.put("model", model);
        if (ask.chat()) {
            ObjectNode message = body.putArray("messages").addObject();
            message.put("role", "user");
            message.set("content", prompts.prompt(request));
        } else {
            body.set("prompt", prompts.prompt(request));
        }
        body.put("max_tokens", ask.maxTokens());
        body.put("temperature", 0);
        if (ask.ignoreEos()) {
            body.put("ignore_eos", true);
        }
        if (ask.stream()) {
            body.put("stream", true);
            body.putObject("stream_options").put("include_usage", true);
        }
        return body;
    }
}
