package dev.troupe.serving;

import dev.troupe.kvcache.KvBlockPool;
import dev.troupe.kvcache.PrefixCounts;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepEntry;
import dev.troupe.stage.StepResult;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.SequencedCollection;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What the next step computes, in one epoch of a replica: continuous batching of mixed prefill chunks and decode tokens
 * (Yu et al. 2022, "Orca"; chunked prefill after Agrawal et al. 2024, "Sarathi-Serve").
 *
 * <p>Order is first come, first served, and within a tenant by priority ({@link ServingOrder}). Decode tokens are set aside from
 * the token budget first, so that a long prompt never stalls a running sequence; several steps share the decoding sequences
 * evenly, so that every stage has work. When blocks run out, the last sequence in the order that holds some is put back and
 * computed again later (in exact mode its tokens stay the same). There is no live-lock: the first sequence may take the blocks of
 * all others, one sequence fits alone, which admission has checked, and only so many later ones can come to stand before it. A
 * sequence starts only when the blocks of all its known tokens are there, and computes
 * nothing whose keys and values others have left ({@link BlockTables}).
 *
 * <p>A sequence that was being computed when an epoch was lost may be the cause. Until it has gained a token it is computed
 * alone, with no other step in flight, so that a second loss names it and no other.
 *
 * <p>Owned by one thread.
 */
final class StepPlanner {
    /** One step in flight: who takes part, and its result once it is there. */
    private static final class Flight {
        final StepBatch batch;
        final List<Sequence> sequences;

        @Nullable
        StepResult result;

        Flight(StepBatch batch, List<Sequence> sequences) {
            this.batch = batch;
            this.sequences = List.copyOf(sequences);
        }

        /** Whether its only sequence may cost the epoch. */
        boolean isAlone() {
            return sequences.stream().anyMatch(sequence -> sequence.isSuspect());
        }
    }

    private final Epoch epoch;
    private final StepLimits limits;
    private final BlockTables tables;
    private final ServingOrder sequences = new ServingOrder();
    private final TreeMap<Long, Flight> flights = new TreeMap<>();
    private long lastStep;
    private long preemptions;

    /** One that is computed alone was given nothing: the others have a step before it is asked again. */
    private boolean othersFirst;

    /** A planner that computes every sequence from its first token. */
    StepPlanner(Epoch epoch, StepLimits limits, KvBlockPool pool) {
        this(epoch, limits, new BlockTables(pool, null));
    }

    StepPlanner(Epoch epoch, StepLimits limits, BlockTables tables) {
        this.epoch = epoch;
        this.limits = limits;
        this.tables = tables;
    }

    KvBlockPool pool() {
        return tables.pool();
    }

    /** How much of what sequences needed was there already. */
    PrefixCounts prefixes() {
        return tables.counts();
    }

    /** Sequences that are neither finished nor removed, in the order in which they are served. */
    SequencedCollection<Sequence> sequences() {
        return sequences.all();
    }

    /** Sequences that hold no blocks. */
    int waiting() {
        return (int) sequences.all().stream().filter(s -> !s.holdsBlocks()).count();
    }

    /** How often a sequence was put back because blocks ran out. */
    long preemptions() {
        return preemptions;
    }

    /** Steps planned in this epoch. */
    long steps() {
        return lastStep;
    }

    /** Tokens of the steps in flight. */
    int tokensInFlight() {
        return flights.values().stream()
                .mapToInt(flight -> flight.batch.tokens())
                .sum();
    }

    /** The step whose result is waited for, if any. */
    Optional<StepBatch> oldestInFlight() {
        return flights.isEmpty()
                ? Optional.empty()
                : Optional.of(flights.firstEntry().getValue().batch);
    }

    /** Adds a sequence behind all others, but for those of its tenant that its priority lets it pass. */
    void add(Sequence sequence) {
        sequences.add(sequence);
    }

    /** Ends a sequence: its blocks return as soon as its steps in flight have retired. */
    void remove(Sequence sequence) {
        if (sequences.remove(sequence)) {
            tables.giveUp(sequence);
            tables.forget(sequence);
        }
    }

    /** The next step, if a step may be in flight more and there is something to compute. */
    Optional<StepBatch> plan() {
        if (flights.size() >= limits.stepsInFlight()) {
            return Optional.empty();
        }
        if (flights.values().stream().anyMatch(Flight::isAlone)) {
            return Optional.empty();
        }
        StepDraft draft = next();
        if (draft.entries().isEmpty()) {
            return Optional.empty();
        }
        long retired = flights.isEmpty() ? lastStep : flights.firstKey() - 1;
        lastStep++;
        StepBatch batch = new StepBatch(epoch, lastStep, draft.entries(), tables.takeReleased(), retired);
        flights.put(lastStep, new Flight(batch, draft.taken()));
        return Optional.of(batch);
    }

    private StepDraft next() {
        if (othersFirst) {
            othersFirst = false;
            StepDraft others = together(sequence -> !sequence.isSuspect());
            if (!others.entries().isEmpty()) {
                return others;
            }
        }
        return alone().orElseGet(() -> together(sequence -> !sequence.isSuspect()));
    }

    /**
     * A step for a sequence that may have cost an epoch, of those that have room the one that was deferred least often; empty if
     * there is none.
     */
    private Optional<StepDraft> alone() {
        List<Sequence> suspects = sequences.all().stream()
                .filter(sequence -> sequence.isSuspect() && sequence.isReady())
                .sorted(Comparator.comparingInt(Sequence::deferrals))
                .toList();
        if (!suspects.isEmpty() && !flights.isEmpty()) {
            return Optional.of(together(_ -> false)); // nothing more until it can be alone
        }
        return suspects.stream()
                .map(suspect -> together(sequence -> sequence == suspect))
                .filter(draft -> !draft.entries().isEmpty())
                .findFirst();
    }

    private StepDraft together(Predicate<Sequence> which) {
        StepDraft draft = new StepDraft(lastStep + 1, limits, tables, sequences.all(), which);
        sequences.all().stream().filter(which).forEach(draft::consider);
        preemptions += draft.preemptions();
        return draft;
    }

    /** What a retired step gave one sequence. */
    record Progress(
            Sequence sequence,
            List<StepResult.Answer> answers,
            @Nullable GenerationFailure failure) {
        Progress {
            answers = List.copyOf(answers);
        }
    }

    /** A step that is over, and what it gave the sequences that still live. */
    record Retired(StepBatch batch, StepResult result, List<Progress> progress) {}

    /** Whether a result belongs to a step in flight and is not there yet. */
    boolean expects(StepResult result) {
        Flight flight = flights.get(result.step());
        return result.epoch().equals(epoch) && flight != null && flight.result == null;
    }

    /** Whether the result of a step of this planner is waited for. */
    boolean isInFlight(StepBatch batch) {
        return batch.epoch().equals(epoch) && flights.containsKey(batch.step());
    }

    /**
     * Notes a result, then retires steps in their order as far as results are there.
     *
     * @return the retired steps; finished and failed sequences have been removed
     * @throws IllegalStateException if the result is not expected
     */
    List<Retired> retire(StepResult result) {
        Flight noted = flights.get(result.step());
        if (noted == null || !expects(result)) {
            throw new IllegalStateException("result of epoch=%s step=%d, expected epoch=%s steps=%s"
                    .formatted(result.epoch(), result.step(), epoch, flights.keySet()));
        }
        noted.result = result;
        List<Retired> retired = new ArrayList<>();
        while (!flights.isEmpty()) {
            Flight oldest = flights.firstEntry().getValue();
            StepResult itsResult = oldest.result;
            if (itsResult == null) {
                break;
            }
            flights.remove(oldest.batch.step());
            List<Progress> progress = new ArrayList<>();
            for (int i = 0; i < oldest.sequences.size(); i++) {
                apply(oldest.sequences.get(i), oldest.batch.entries().get(i), itsResult)
                        .ifPresent(progress::add);
            }
            pool().retire(oldest.batch.step());
            retired.add(new Retired(oldest.batch, itsResult, progress));
        }
        return retired;
    }

    private Optional<Progress> apply(Sequence sequence, StepEntry entry, StepResult result) {
        sequence.retire(entry.firstPosition() + entry.tokens().size());
        if (!sequences.contains(sequence)) {
            return Optional.empty();
        }
        List<StepResult.Answer> answers = result.answers().stream()
                .filter(answer -> answer.sequence() == sequence.id())
                .toList();
        @Nullable GenerationFailure failure = failure(entry, answers, result);
        if (failure != null) {
            remove(sequence);
            return Optional.of(new Progress(sequence, List.of(), failure));
        }
        for (StepResult.Answer answer : answers) {
            if (answer instanceof StepResult.Token token) {
                sequence.append(token.token());
            } else if (answer instanceof StepResult.Deferred) {
                sequence.defer();
                othersFirst |= sequence.isSuspect();
            }
        }
        tables.publish(sequence);
        if (sequence.isFinished()) {
            remove(sequence);
        }
        List<StepResult.Answer> given = answers.stream()
                .filter(answer -> !(answer instanceof StepResult.Deferred))
                .toList();
        return Optional.of(new Progress(sequence, given, null));
    }

    private static @Nullable GenerationFailure failure(
            StepEntry entry, List<StepResult.Answer> answers, StepResult result) {
        for (StepResult.Failure failure : result.failures()) {
            if (failure.sequence() == entry.sequence()) {
                return new GenerationFailure(GenerationFailure.Kind.NOT_FINITE, failure.reason());
            }
        }
        boolean complete = answers.size() == entry.wants().size();
        for (int i = 0; complete && i < answers.size(); i++) {
            complete = answers.get(i).position()
                    == entry.firstPosition() + entry.wants().get(i).offset();
        }
        return complete
                ? null
                : new GenerationFailure(
                        GenerationFailure.Kind.DEFECT,
                        "step %d of epoch %s answered %s, expected %s from position %d"
                                .formatted(
                                        result.step(), result.epoch(), answers, entry.wants(), entry.firstPosition()));
    }

    /**
     * Checks that the pool is whole, and that its held blocks are those of the sequences.
     *
     * @throws IllegalStateException if not
     */
    void checkIntegrity() {
        tables.checkIntegrity(sequences.all());
    }
}
