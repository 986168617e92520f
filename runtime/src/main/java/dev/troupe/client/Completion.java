package dev.troupe.client;

import dev.troupe.serving.FinishReason;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A whole generation.
 *
 * @param id by which it is known
 * @param prompt its tokens
 * @param choices the completions, by index
 * @param usage what it took
 */
public record Completion(String id, Ints prompt, List<Choice> choices, TextEvent.Usage usage) {
    public Completion {
        choices = List.copyOf(choices);
    }

    /**
     * One completion.
     *
     * @param tokens completion tokens
     * @param text their text, without a stop text
     * @param reason why it ended
     * @param logits rows by position, where the request asked
     * @param hash of all tokens and their logits; empty without a token
     */
    public record Choice(Ints tokens, String text, FinishReason reason, List<Floats> logits, String hash) {
        public Choice {
            logits = List.copyOf(logits);
        }
    }

    /** The hashes of all choices: equal for two runs that drew the same tokens from the same logits. */
    public String hash() {
        return choices.stream().map(Choice::hash).collect(Collectors.joining("-"));
    }

    /** Text of the first choice. */
    public String text() {
        return choices.getFirst().text();
    }

    /**
     * The generation that these events tell of.
     *
     * @throws IllegalArgumentException if they do not begin with {@link TextEvent.Started}, a choice has no end, or there is
     *     no {@link TextEvent.Usage}
     */
    public static Completion of(List<TextEvent> events) {
        if (events.isEmpty() || !(events.getFirst() instanceof TextEvent.Started started)) {
            throw new IllegalArgumentException("%d events that do not begin with Started".formatted(events.size()));
        }
        TreeMap<Integer, Gathered> gathered = new TreeMap<>();
        TextEvent.@Nullable Usage usage = null;
        for (TextEvent event : events.subList(1, events.size())) {
            switch (event) {
                case TextEvent.Started again ->
                    throw new IllegalArgumentException("started twice: " + started.id() + " and " + again.id());
                case TextEvent.Token token ->
                    gathered.computeIfAbsent(token.choice(), c -> new Gathered())
                            .add(token);
                case TextEvent.Logits row ->
                    gathered.computeIfAbsent(row.choice(), c -> new Gathered())
                            .rows
                            .put(row.position(), row.values());
                // For who reads the stream.
                case TextEvent.PromptToken _, TextEvent.Hidden _ -> {}
                case TextEvent.Ended end ->
                    gathered.computeIfAbsent(end.choice(), c -> new Gathered()).end(end);
                case TextEvent.Usage told -> usage = told;
            }
        }
        if (usage == null) {
            throw new IllegalArgumentException("%d events without Usage".formatted(events.size()));
        }
        return new Completion(
                started.id(),
                started.prompt(),
                gathered.values().stream().map(Gathered::choice).toList(),
                usage);
    }

    private static final class Gathered {
        private final List<Integer> tokens = new ArrayList<>();
        private final StringBuilder text = new StringBuilder();
        private String hash = "";
        private final TreeMap<Integer, Floats> rows = new TreeMap<>();
        private @Nullable FinishReason reason;

        private void add(TextEvent.Token token) {
            tokens.add(token.token());
            text.append(token.text());
            hash = token.hash();
        }

        private void end(TextEvent.Ended end) {
            text.append(end.text());
            reason = end.reason();
        }

        private Choice choice() {
            if (reason == null) {
                throw new IllegalArgumentException("a choice with %d tokens has no end".formatted(tokens.size()));
            }
            int[] ids = tokens.stream().mapToInt(Integer::intValue).toArray();
            return new Choice(Ints.of(ids), text.toString(), reason, List.copyOf(rows.values()), hash);
        }
    }
}
