package dev.troupe.client;

import dev.troupe.generation.GenerationRequest;
import dev.troupe.generation.Ticket;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.serving.Precedence;
import dev.troupe.serving.Returns;
import dev.troupe.stage.Want;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What to generate.
 *
 * @param prompt what comes before
 * @param maxTokens completion tokens of each choice at most; 0 only computes the prompt
 * @param sampling how to draw
 * @param choices how many completions
 * @param stop texts that end a choice; they are not part of it
 * @param stopTokens ids of tokens that end a choice; they are its last tokens, and their texts no part of it
 * @param ignoreEos whether the model's end-of-text tokens do not end a choice
 * @param returned what to return beside completion tokens
 * @param deadline time limit of the whole
 * @param cacheSalt what is computed for it is reused only for requests with the same, and the other way round; usually empty
 * @param precedence where it stands among the requests of its tenant
 * @param ticket how its client comes back to it at another front end, or null if it does not
 */
public record TextRequest(
        Prompt prompt,
        int maxTokens,
        SamplingParameters sampling,
        int choices,
        List<String> stop,
        Ints stopTokens,
        boolean ignoreEos,
        Set<Returned> returned,
        Duration deadline,
        String cacheSalt,
        Precedence precedence,
        @Nullable Ticket ticket) {

    /** Choices that one request may ask for. */
    public static final int MAX_CHOICES = 128;

    private static final Duration STANDARD_DEADLINE = Duration.ofMinutes(10);

    public TextRequest {
        stop = List.copyOf(stop);
        returned = Set.copyOf(returned);
        if (maxTokens < 0) {
            throw new IllegalArgumentException("max_tokens=%d, expected at least 0".formatted(maxTokens));
        }
        if (choices < 1 || choices > MAX_CHOICES) {
            throw new IllegalArgumentException("n=%d, expected 1 to %d".formatted(choices, MAX_CHOICES));
        }
        if (stop.stream().anyMatch(String::isEmpty)) {
            throw new IllegalArgumentException("stop has an empty text, which would end every completion at once");
        }
        if (cacheSalt.length() > GenerationRequest.MAX_CACHE_SALT) {
            throw new IllegalArgumentException("cache_salt has %d characters, expected at most %d"
                    .formatted(cacheSalt.length(), GenerationRequest.MAX_CACHE_SALT));
        }
        if (deadline.isNegative() || deadline.isZero()) {
            throw new IllegalArgumentException("deadline=%s, expected a positive duration".formatted(deadline));
        }
    }

    /**
     * One without stop tokens, a priority or a ticket.
     *
     * @param logits whether {@link Returned#LOGITS} are returned, and nothing else
     */
    public TextRequest(
            Prompt prompt,
            int maxTokens,
            SamplingParameters sampling,
            int choices,
            List<String> stop,
            boolean ignoreEos,
            boolean logits,
            Duration deadline,
            String cacheSalt) {
        this(
                prompt,
                maxTokens,
                sampling,
                choices,
                stop,
                Ints.of(),
                ignoreEos,
                logits ? Set.of(Returned.LOGITS) : Set.of(),
                deadline,
                cacheSalt,
                Precedence.NONE,
                null);
    }

    /** What can be returned beside completion tokens. */
    public enum Returned {
        /** {@link TextEvent.Logits} after every prompt token and where every completion token is drawn. */
        LOGITS,
        /** {@link TextEvent.PromptToken} for every prompt token but the first, with as many alternatives as completion tokens get. */
        PROMPT_LOGPROBS,
        /** {@link TextEvent.Hidden} where a completion token is drawn, or would be: the state of the token before it. */
        HIDDEN,
        /** {@link TextEvent.Hidden} in the same places: the mean of the states of all prompt tokens. */
        MEAN_HIDDEN
    }

    /** What comes before the completion. */
    public sealed interface Prompt {}

    /** A text; the front end encodes it, with the special tokens that the model's tokenizer adds. */
    public record Text(String text) implements Prompt {}

    /** Token ids, taken as they are. */
    public record Tokens(Ints ids) implements Prompt {}

    /** Greedy, one choice. */
    public static TextRequest greedy(String prompt, int maxTokens) {
        return new TextRequest(
                new Text(prompt),
                maxTokens,
                SamplingParameters.greedy(),
                1,
                List.of(),
                false,
                false,
                STANDARD_DEADLINE,
                "");
    }

    /** Only computes logits: one row after every token of {@code ids}. */
    public static TextRequest logitsOf(Ints ids) {
        return new TextRequest(
                new Tokens(ids), 0, SamplingParameters.greedy(), 1, List.of(), true, true, STANDARD_DEADLINE, "");
    }

    /** Only computes the hidden state that {@code pooling} makes an embedding of. */
    public static TextRequest embedding(Prompt prompt, Embedding.Pooling pooling) {
        Returned kind = switch (pooling) {
            case MEAN -> Returned.MEAN_HIDDEN;
            case LAST -> Returned.HIDDEN;
        };
        return new TextRequest(prompt, 0, SamplingParameters.greedy(), 1, List.of(), true, false, STANDARD_DEADLINE, "")
                .withReturned(Set.of(kind));
    }

    /** What is returned, as schedulers name it. */
    Returns returns() {
        Set<Want.Kind> ofPrompt = EnumSet.noneOf(Want.Kind.class);
        Set<Want.Kind> ofCompletion = EnumSet.noneOf(Want.Kind.class);
        for (Returned kind : returned) {
            switch (kind) {
                case LOGITS -> {
                    ofPrompt.add(Want.Kind.ROW);
                    ofCompletion.add(Want.Kind.ROW);
                }
                case PROMPT_LOGPROBS -> ofPrompt.add(Want.Kind.SCORE);
                case HIDDEN -> ofCompletion.add(Want.Kind.HIDDEN);
                case MEAN_HIDDEN -> ofCompletion.add(Want.Kind.MEAN);
            }
        }
        return new Returns(ofPrompt, ofCompletion);
    }

    public TextRequest withPrompt(Prompt newPrompt) {
        return with(parts -> parts.prompt = newPrompt);
    }

    public TextRequest withSampling(SamplingParameters newSampling) {
        return with(parts -> parts.sampling = newSampling);
    }

    public TextRequest withChoices(int newChoices) {
        return with(parts -> parts.choices = newChoices);
    }

    public TextRequest withStop(List<String> newStop) {
        return with(parts -> parts.stop = newStop);
    }

    public TextRequest withStopTokens(Ints newStopTokens) {
        return with(parts -> parts.stopTokens = newStopTokens);
    }

    public TextRequest withIgnoreEos(boolean newIgnoreEos) {
        return with(parts -> parts.ignoreEos = newIgnoreEos);
    }

    public TextRequest withReturned(Set<Returned> newReturned) {
        return with(parts -> parts.returned = newReturned);
    }

    /** The same with logits, or without. */
    public TextRequest withLogits(boolean logits) {
        Set<Returned> kinds = EnumSet.noneOf(Returned.class);
        kinds.addAll(returned);
        if (logits) {
            kinds.add(Returned.LOGITS);
        } else {
            kinds.remove(Returned.LOGITS);
        }
        return withReturned(kinds);
    }

    public TextRequest withDeadline(Duration newDeadline) {
        return with(parts -> parts.deadline = newDeadline);
    }

    public TextRequest withCacheSalt(String newCacheSalt) {
        return with(parts -> parts.cacheSalt = newCacheSalt);
    }

    public TextRequest withPrecedence(Precedence newPrecedence) {
        return with(parts -> parts.precedence = newPrecedence);
    }

    public TextRequest withTicket(Ticket newTicket) {
        return with(parts -> parts.ticket = newTicket);
    }

    private TextRequest with(Consumer<Parts> change) {
        Parts parts = new Parts(this);
        change.accept(parts);
        return parts.request();
    }

    /** What a request is made of, while one of them is changed. */
    private static final class Parts {
        Prompt prompt;
        final int maxTokens;
        SamplingParameters sampling;
        int choices;
        List<String> stop;
        Ints stopTokens;
        boolean ignoreEos;
        Set<Returned> returned;
        Duration deadline;
        String cacheSalt;
        Precedence precedence;

        @Nullable
        Ticket ticket;

        Parts(TextRequest request) {
            prompt = request.prompt;
            maxTokens = request.maxTokens;
            sampling = request.sampling;
            choices = request.choices;
            stop = request.stop;
            stopTokens = request.stopTokens;
            ignoreEos = request.ignoreEos;
            returned = request.returned;
            deadline = request.deadline;
            cacheSalt = request.cacheSalt;
            precedence = request.precedence;
            ticket = request.ticket;
        }

        TextRequest request() {
            return new TextRequest(
                    prompt,
                    maxTokens,
                    sampling,
                    choices,
                    stop,
                    stopTokens,
                    ignoreEos,
                    returned,
                    deadline,
                    cacheSalt,
                    precedence,
                    ticket);
        }
    }
}
