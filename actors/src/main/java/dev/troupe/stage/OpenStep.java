package dev.troupe.stage;

import dev.troupe.model.ShardStep;
import dev.troupe.model.SubtreeSum;
import dev.troupe.tensor.Ints;
import dev.troupe.tensor.Rows;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * One step in flight on one rank: a row of units of local work with an exchange after each. Unit j ends the exchange of
 * segment j − 1 and computes segment j; the last unit ends the last exchange and gives the step away.
 *
 * <p>A peer can be one exchange ahead: it has this rank's sums of segment j, not those of j + 1. So two exchanges are
 * kept, and nothing later is believed.
 */
final class OpenStep implements AutoCloseable {
    private final StageShape stage;
    private final StepBatch batch;
    private final List<SequenceTable.WantedRow> wants;
    private final List<SequenceTable.SummedRows> summed;
    private final ShardStep step;
    private final BitSet failedBefore;
    private final List<StageWork> workBefore;
    private final ShardProgress clock;
    private final long openedNanos;
    private final long positions;

    private AllReduce behind;
    private AllReduce ahead;
    private int unitsDone;
    private long unitBeganNanos;
    private long computeNanos;
    private long bytesSent;
    private long exchangeNanos;

    /**
     * @param step what computes; closed by {@link #close()}
     * @param arrived what came for the step
     */
    OpenStep(
            StageShape stage,
            SequenceTable.Opened opened,
            ShardStep step,
            Backlog.Waiting arrived,
            ShardProgress clock) {
        this.stage = stage;
        this.batch = arrived.batch();
        this.wants = opened.wants();
        this.summed = opened.summed();
        this.step = step;
        this.failedBefore = bits(arrived.failedTokens());
        this.workBefore = arrived.work();
        this.clock = clock;
        this.openedNanos = clock.nanoTime();
        this.positions = batch.entries().stream()
                .mapToLong(entry -> (long) entry.tokens().size()
                        * (entry.firstPosition() + entry.tokens().size()))
                .sum();
        this.behind = new AllReduce(stage, batch.tokens());
        this.ahead = new AllReduce(stage, batch.tokens());
    }

    static BitSet bits(Ints indices) {
        BitSet set = new BitSet();
        indices.stream().forEach(set::set);
        return set;
    }

    StepBatch batch() {
        return batch;
    }

    List<SequenceTable.WantedRow> wants() {
        return wants;
    }

    /** Tokens whose hidden states are summed up. */
    List<SequenceTable.SummedRows> summed() {
        return summed;
    }

    /** What computes; for the ending, after the last unit's exchange. */
    ShardStep compute() {
        return step;
    }

    /** Units of work done, 0 to segments + 1. */
    int unitsDone() {
        return unitsDone;
    }

    /** Whether the last unit is done. */
    boolean ended() {
        return unitsDone > stage.segments();
    }

    /** Whether the next unit has all it needs of this step itself. */
    boolean ready() {
        return !ended() && (unitsDone == 0 || behind.complete());
    }

    /**
     * Takes a peer's sum over.
     *
     * @throws ContradictionException if it is of an exchange that no peer can have reached, or does not fit
     */
    Noted note(Partial partial) {
        if (partial.exchange() < 0 || partial.exchange() > unitsDone || partial.exchange() >= stage.segments()) {
            throw new ContradictionException(
                    "epoch=%s, step=%d, exchange=%d, from rank=%d: this rank has computed %d of %d segments, so no peer can be there"
                            .formatted(
                                    partial.epoch(),
                                    partial.step(),
                                    partial.exchange(),
                                    partial.fromRank(),
                                    unitsDone,
                                    stage.segments()));
        }
        if (partial.exchange() < unitsDone - 1) {
            return Noted.REPEATED;
        }
        return (partial.exchange() == unitsDone ? ahead : behind).note(partial);
    }

    /** Does the next unit, which must be {@link #ready()}; the last one calls {@code ending}. */
    void run(StepOutput output, ShardTally tally, Ending ending) {
        unitBeganNanos = clock.nanoTime();
        if (unitsDone > 0) {
            step.finish(behind.sums());
        }
        behind = ahead;
        if (unitsDone == stage.segments()) {
            ending.end(this);
            unitsDone++;
            return;
        }
        ahead = new AllReduce(stage, batch.tokens());
        List<SubtreeSum> sums = step.compute();
        int exchange = unitsDone++;
        long nanos = clock.nanoTime() - unitBeganNanos;
        computeNanos += nanos;
        clock.publish(clock.work().plus(batch.tokens(), positions, nanos));
        send(exchange, sums, output, tally);
    }

    private void send(int exchange, List<SubtreeSum> sums, StepOutput output, ShardTally tally) {
        if (stage.ranks() == 1) {
            return;
        }
        for (SubtreeSum sum : sums) {
            Rows values = sum.values();
            values.expectReaders(stage.ranks() - 1);
            Partial partial =
                    new Partial(batch.epoch(), batch.step(), exchange, stage.rank(), sum.from(), sum.to(), 0, values);
            for (int peer = 0; peer < stage.ranks(); peer++) {
                if (peer != stage.rank()) {
                    output.toPeer(peer, partial);
                    tally.partialsSent++;
                    bytesSent += 4L * values.rows() * values.columns();
                }
            }
        }
    }

    /** Tokens that this rank, or one before it, knows to have failed. */
    BitSet failedTokens() {
        BitSet failed = (BitSet) failedBefore.clone();
        failed.or(step.failedTokens());
        return failed;
    }

    /** The rank had nothing to compute until now that something can be done. */
    void addExchangeWait(long nanos) {
        exchangeNanos += nanos;
        clock.publish(clock.work().plusWait(nanos));
    }

    /** Counts what the ending sent. */
    void addBytesSent(long bytes) {
        bytesSent += bytes;
    }

    /** What all stages up to this one took; for the ending, as the last thing it does. */
    List<StageWork> work(int ownStage) {
        long now = clock.nanoTime();
        long compute = computeNanos + now - unitBeganNanos;
        List<StageWork> all = new ArrayList<>(workBefore);
        all.add(new StageWork(ownStage, compute, now - openedNanos - compute, bytesSent, openedNanos, exchangeNanos));
        return all;
    }

    @Override
    public void close() {
        step.close();
    }

    /** What happens to a step after its last segment on this rank. */
    @FunctionalInterface
    interface Ending {
        /** Gives the step away: to the next stage, or to rank 0 and the scheduler. */
        void end(OpenStep step);
    }
}
