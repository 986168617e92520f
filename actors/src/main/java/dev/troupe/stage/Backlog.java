package dev.troupe.stage;

import dev.troupe.tensor.Ints;
import dev.troupe.tensor.Rows;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What has come for steps that are not open yet: their batches, hidden states, and peers' early messages. Bounded. */
final class Backlog {
    private static final long MESSAGE_OVERHEAD = 256;

    private final Limits limits;
    private final int columns;
    private final Map<Long, Waiting> steps = new HashMap<>();
    private long bytes;

    /** @param columns of the hidden state */
    Backlog(Limits limits, int columns) {
        this.limits = limits;
        this.columns = columns;
    }

    /**
     * How much is kept.
     *
     * @param bytes of all messages, in bytes
     * @param stepsAhead how far beyond the next step to open
     */
    record Limits(long bytes, int stepsAhead) {
        /** Far above what the scheduler's credit lets happen. */
        static final Limits DEFAULT = new Limits(512L << 20, 64);
    }

    /** All that has come for one step. */
    static final class Waiting {
        private @Nullable StepBatch batch;
        private @Nullable RowAssembly hidden;
        private Ints failedTokens = Ints.of();
        private List<StageWork> work = List.of();
        private final List<TensorMessage> early = new ArrayList<>();
        private long bytes;

        StepBatch batch() {
            if (batch == null) {
                throw new IllegalStateException("the step's batch has not come");
            }
            return batch;
        }

        /** The state from the stage before {@code [tokens, hidden]}; null on the first stage. */
        @Nullable
        Rows hidden() {
            return hidden == null ? null : hidden.whole();
        }

        Ints failedTokens() {
            return failedTokens;
        }

        /** What the stages before took. */
        List<StageWork> work() {
            return work;
        }

        /** Partials and candidates that came before the step was open. */
        List<TensorMessage> early() {
            return early;
        }

        private boolean complete() {
            return batch != null && (hidden == null || hidden.complete());
        }
    }

    /**
     * Keeps a batch that needs no state from a stage before.
     *
     * @param next the next step to be opened
     */
    Noted noteBatch(StepBatch batch, long next) {
        if (!fits(batch.step(), next, MESSAGE_OVERHEAD)) {
            return Noted.NO_ROOM;
        }
        Waiting waiting = waiting(batch.step());
        if (waiting.batch != null) {
            requireSame(waiting.batch, batch);
            return Noted.REPEATED;
        }
        waiting.batch = batch;
        return charge(waiting, MESSAGE_OVERHEAD);
    }

    /**
     * Keeps a piece of a hand-off.
     *
     * @param next the next step to be opened
     * @throws ContradictionException if it does not fit the step's other pieces
     */
    Noted noteHandOff(HandOff handOff, long next) {
        StepBatch batch = handOff.batch();
        long size = bytesOf(handOff.values()) + MESSAGE_OVERHEAD;
        if (!fits(batch.step(), next, size)) {
            return Noted.NO_ROOM;
        }
        Waiting waiting = waiting(batch.step());
        RowAssembly hidden = waiting.hidden;
        if (waiting.batch != null) {
            requireSame(waiting.batch, batch);
        }
        if (hidden == null) {
            hidden = new RowAssembly(batch.tokens(), columns);
        }
        Noted noted = hidden.note(handOff.firstRow(), handOff.values());
        if (noted == Noted.REPEATED) {
            return noted;
        }
        waiting.batch = batch;
        waiting.hidden = hidden;
        waiting.failedTokens = handOff.failedTokens();
        waiting.work = handOff.work();
        return charge(waiting, size);
    }

    /**
     * Keeps a partial or candidates of a step that is not open; whether they fit shows when it is.
     *
     * @param next the next step to be opened
     */
    Noted noteEarly(TensorMessage message, long next) {
        long size = bytesOf(message) + MESSAGE_OVERHEAD;
        if (!fits(message.step(), next, size)) {
            return Noted.NO_ROOM;
        }
        Waiting waiting = waiting(message.step());
        waiting.early.add(message);
        return charge(waiting, size);
    }

    private static void requireSame(StepBatch there, StepBatch other) {
        if (!there.equals(other)) {
            throw new ContradictionException(
                    "epoch=%s, step=%d came with two different batches".formatted(other.epoch(), other.step()));
        }
    }

    private boolean fits(long step, long next, long size) {
        return bytes + size <= limits.bytes() && step - next <= limits.stepsAhead();
    }

    private Waiting waiting(long step) {
        return steps.computeIfAbsent(step, absent -> new Waiting());
    }

    private Noted charge(Waiting waiting, long size) {
        waiting.bytes += size;
        bytes += size;
        return Noted.KEPT;
    }

    private static long bytesOf(TensorMessage message) {
        return switch (message) {
            case Partial partial -> bytesOf(partial.values());
            case HandOff handOff -> bytesOf(handOff.values());
            case Candidates candidates -> bytesOf(candidates);
            case CandidateRequest _ -> 0;
        };
    }

    private static long bytesOf(Candidates candidates) {
        long total = 0;
        for (Candidates.Answer answer : candidates.answers()) {
            total += answer.row() == null ? 0 : bytesOf(answer.row());
            total += answer.candidates() == null
                    ? 0
                    : 12L * answer.candidates().ids().size();
        }
        return total;
    }

    private static long bytesOf(Rows values) {
        return 4L * values.rows() * values.columns();
    }

    /** Whether {@code step} has all it needs to be opened. */
    boolean ready(long step) {
        Waiting waiting = steps.get(step);
        return waiting != null && waiting.complete();
    }

    /** Hands out what has come for {@code step}. */
    Waiting take(long step) {
        Waiting waiting = steps.remove(step);
        if (waiting == null || !waiting.complete()) {
            throw new IllegalStateException("step=%d is not ready to be opened".formatted(step));
        }
        bytes -= waiting.bytes;
        return waiting;
    }

    /** Bytes kept now. */
    long bytes() {
        return bytes;
    }
}
