package dev.troupe.client;

import dev.troupe.generation.HashChain;
import dev.troupe.sampling.Logprob;
import dev.troupe.serving.FinishReason;
import dev.troupe.serving.Output;
import dev.troupe.stage.StepResult;
import dev.troupe.tensor.Ints;
import dev.troupe.text.IncrementalDetokenizer;
import dev.troupe.text.StopMatcher;
import dev.troupe.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Turns the tokens of a generation into the events of a client: a fold over each choice's tokens, so that the same
 * tokens always give the same texts.
 */
final class EventText {
    private final @Nullable Tokenizer tokenizer;
    private final Ints prompt;
    private final List<String> stop;
    private final Ints stopTokens;
    private final TreeMap<Integer, Choice> choices = new TreeMap<>();

    /**
     * @param prompt what the texts go on from
     * @param stop texts that end a choice
     * @param stopTokens ids that end a choice, whose texts are no part of it
     */
    EventText(@Nullable Tokenizer tokenizer, Ints prompt, List<String> stop, Ints stopTokens) {
        this.tokenizer = tokenizer;
        this.prompt = prompt;
        this.stop = stop;
        this.stopTokens = stopTokens;
    }

    private static final class Choice {
        private final @Nullable IncrementalDetokenizer detokenizer;
        private final StopMatcher stops;
        private final HashChain hashes = new HashChain();
        private boolean ended;

        private Choice(@Nullable IncrementalDetokenizer detokenizer, StopMatcher stops) {
            this.detokenizer = detokenizer;
            this.stops = stops;
        }

        private String append(int token) {
            return detokenizer == null ? "" : stops.append(detokenizer.append(token));
        }

        private String finish() {
            return detokenizer == null ? "" : stops.append(detokenizer.finish());
        }
    }

    /** Whether a stop text has ended this choice, or its generation has. */
    boolean hasEnded(int choice) {
        return choice(choice).ended;
    }

    /** The events of one output; the last one is {@link TextEvent.Ended} when it completes a stop text. */
    List<TextEvent> on(Output output) {
        Choice choice = choice(output.choice());
        List<TextEvent> events = new ArrayList<>();
        switch (output) {
            case Output.Token token -> {
                if (!choice.ended) {
                    boolean stops = stopTokens.stream().anyMatch(id -> id == token.token());
                    String text = stops ? "" : choice.append(token.token());
                    events.add(new TextEvent.Token(
                            token.choice(),
                            token.position(),
                            token.token(),
                            text,
                            token.logit(),
                            token.logprob(),
                            logprobs(token.top()),
                            choice.hashes.append(token)));
                    if (choice.stops.matched().isPresent()) {
                        choice.ended = true;
                        events.add(new TextEvent.Ended(token.choice(), FinishReason.STOP, ""));
                    }
                }
            }
            case Output.Row row -> events.add(new TextEvent.Logits(row.choice(), row.position(), row.values()));
            case Output.Hidden hidden ->
                events.add(new TextEvent.Hidden(hidden.choice(), hidden.position(), hidden.values()));
            case Output.Mean mean -> events.add(new TextEvent.Hidden(mean.choice(), mean.position(), mean.values()));
            case Output.Score score -> {
                // After the last prompt token there is none to be scored.
                if (score.token() >= 0) {
                    events.add(new TextEvent.PromptToken(
                            score.choice(),
                            score.position() + 1,
                            score.token(),
                            score.logprob(),
                            logprobs(score.top())));
                }
            }
        }
        return events;
    }

    private static List<Logprob> logprobs(List<StepResult.Logprob> top) {
        return top.stream()
                .map(logprob -> new Logprob(logprob.token(), logprob.logprob()))
                .toList();
    }

    /** The events of a choice's end; none if it had ended. */
    List<TextEvent> onEnd(int index, FinishReason reason) {
        Choice choice = choice(index);
        if (choice.ended) {
            return List.of();
        }
        choice.ended = true;
        String rest = choice.finish();
        if (choice.stops.matched().isPresent()) {
            return List.of(new TextEvent.Ended(index, FinishReason.STOP, rest));
        }
        return List.of(new TextEvent.Ended(index, reason, rest + choice.stops.finish()));
    }

    private Choice choice(int index) {
        return choices.computeIfAbsent(
                index,
                i -> new Choice(tokenizer == null ? null : tokenizer.detokenizerAfter(prompt), new StopMatcher(stop)));
    }
}
