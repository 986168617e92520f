package dev.troupe.generation;

import dev.troupe.serving.FinishReason;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.Output;
import dev.troupe.serving.Returns;
import dev.troupe.serving.Submission;
import dev.troupe.stage.Want;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What the entries of a log add up to: the tokens of every choice, and which have ended. It decides what may enter: only
 * the next position of a choice, once. In exact mode a token that comes again can only be equal.
 *
 * <p>Owned by one thread.
 */
final class Transcript {
    /** One choice. */
    private final class Choice {
        private final int index;
        private final List<Integer> completion = new ArrayList<>();
        private final Map<Want.Kind, Integer> nextRow = new EnumMap<>(Want.Kind.class);
        private boolean finished;

        Choice(int index) {
            this.index = index;
        }

        int promptLength() {
            return request.prompt().size();
        }

        int nextRow(Want.Kind kind) {
            int first = request.returns().prompt().contains(kind) ? 0 : promptLength() - 1;
            return nextRow.getOrDefault(kind, first);
        }

        /** Without drawing, a choice has ended when all that is wanted of the last prompt token is there. */
        boolean hasAllRows() {
            return Returns.KINDS.stream()
                    .filter(kind -> request.returns().prompt().contains(kind)
                            || request.returns().completion().contains(kind))
                    .allMatch(kind -> nextRow(kind) >= promptLength());
        }
    }

    private final GenerationRequest request;
    private final List<Choice> choices = new ArrayList<>();
    private long repeated;
    private boolean failed;

    Transcript(GenerationRequest request) {
        this.request = request;
        for (int index = 0; index < request.n(); index++) {
            choices.add(new Choice(index));
        }
    }

    /** Whether every choice has ended. */
    boolean isFinished() {
        return choices.stream().allMatch(choice -> choice.finished);
    }

    /** Outputs dropped because they were here already, or came after the end of their choice. */
    long repeated() {
        return repeated;
    }

    /** Tokens of all choices that have been drawn. */
    int drawn() {
        return choices.stream().mapToInt(choice -> choice.completion.size()).sum();
    }

    /** The choices that have not ended, with the tokens they have. */
    List<Submission.Choice> open() {
        return choices.stream()
                .filter(choice -> !choice.finished)
                .map(choice -> new Submission.Choice(
                        choice.index,
                        Ints.of(choice.completion.stream()
                                .mapToInt(Integer::intValue)
                                .toArray())))
                .toList();
    }

    /**
     * Takes in the entries of a log, and gives those that must follow them at once: an owner may have been lost between the last
     * token of a choice and its end.
     */
    List<LogEntry.Finished> restore(List<LogEntry> entries) {
        Map<Integer, LogEntry.Finished> open = new TreeMap<>();
        for (LogEntry entry : entries) {
            switch (entry) {
                case LogEntry.Computed(var _, Output output) -> {
                    if (take(output) instanceof Verdict.Enters(Optional<FinishReason> finish)) {
                        finish.ifPresent(reason -> open.put(
                                output.choice(),
                                new LogEntry.Finished(output.choice(), completionTokens(output.choice()), reason)));
                    }
                }
                case LogEntry.Finished finished -> {
                    open.remove(finished.choice());
                    choices.get(finished.choice()).finished = true;
                    failed |= finished.reason() == FinishReason.ERROR;
                }
            }
        }
        return List.copyOf(open.values());
    }

    /** Whether a choice of the log that was restored had ended with an error. */
    boolean hasFailed() {
        return failed;
    }

    /** What an output did. */
    sealed interface Verdict {
        /** It is new. */
        record Enters(Optional<FinishReason> finish) implements Verdict {}

        /** It was here already. */
        record Repeats() implements Verdict {}

        /** One before it was lost on the way. */
        record Misses(String what) implements Verdict {}

        /** It cannot be. */
        record Contradicts(GenerationFailure failure) implements Verdict {}
    }

    /** Takes an output in if it is the next one of its choice. */
    Verdict take(Output output) {
        if (output.choice() < 0 || output.choice() >= choices.size()) {
            return defect("choice %d of %d".formatted(output.choice(), choices.size()));
        }
        Choice choice = choices.get(output.choice());
        if (choice.finished) {
            return repeats();
        }
        return switch (output) {
            case Output.Token token -> takeToken(choice, token);
            case Output.Row row -> takeRow(choice, Want.Kind.ROW, row.position());
            case Output.Hidden hidden -> takeRow(choice, Want.Kind.HIDDEN, hidden.position());
            case Output.Mean mean -> takeRow(choice, Want.Kind.MEAN, mean.position());
            case Output.Score score -> takeRow(choice, Want.Kind.SCORE, score.position());
        };
    }

    private Verdict takeToken(Choice choice, Output.Token token) {
        int index = token.position() - choice.promptLength();
        int next = choice.completion.size();
        if (index < 0) {
            return defect("choice %d got the token of position %d, expected position %d"
                    .formatted(choice.index, token.position(), choice.promptLength() + next));
        }
        if (index > next) {
            return new Verdict.Misses("choice %d got the token of position %d, expected position %d"
                    .formatted(choice.index, token.position(), choice.promptLength() + next));
        }
        if (index < next) {
            int before = choice.completion.get(index);
            return before == token.token()
                    ? repeats()
                    : defect("choice %d has token %d at position %d and got %d there, expected the same"
                            .formatted(choice.index, before, token.position(), token.token()));
        }
        choice.completion.add(token.token());
        return enters(choice, request.finish().after(next + 1, token.token()));
    }

    private Verdict takeRow(Choice choice, Want.Kind kind, int position) {
        int next = choice.nextRow(kind);
        if (position > next) {
            return new Verdict.Misses("choice %d got %s of position %d, expected position %d"
                    .formatted(choice.index, kind, position, next));
        }
        if (position < next) {
            return repeats();
        }
        choice.nextRow.put(kind, next + 1);
        boolean ends = request.finish().maxTokens() == 0 && choice.hasAllRows();
        return enters(choice, ends ? FinishReason.LENGTH : null);
    }

    private static Verdict enters(Choice choice, @Nullable FinishReason finish) {
        choice.finished = finish != null;
        return new Verdict.Enters(Optional.ofNullable(finish));
    }

    private Verdict repeats() {
        repeated++;
        return new Verdict.Repeats();
    }

    private static Verdict defect(String reason) {
        return new Verdict.Contradicts(new GenerationFailure(GenerationFailure.Kind.DEFECT, reason));
    }

    /** Completion tokens of a choice. */
    int completionTokens(int choice) {
        return choices.get(choice).completion.size();
    }

    /** Ends a choice from outside; empty if there is none that is open. */
    Optional<LogEntry.Finished> end(int index, int completionTokens, FinishReason reason) {
        if (index < 0 || index >= choices.size() || choices.get(index).finished) {
            return Optional.empty();
        }
        Choice choice = choices.get(index);
        choice.finished = true;
        int counted = Math.clamp(completionTokens, 0, choice.completion.size());
        return Optional.of(new LogEntry.Finished(index, counted, reason));
    }
}
