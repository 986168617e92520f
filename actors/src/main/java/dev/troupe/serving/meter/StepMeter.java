package dev.troupe.serving.meter;

import dev.troupe.stage.StageWork;
import dev.troupe.stage.StepBatch;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Measures the steps of one epoch: a few additions for each, whatever it computes. Lengths are taken from one clock each and added;
 * clocks of different nodes are never compared. Owned by one thread.
 */
public final class StepMeter {
    private final StepTimeline timeline;
    private final Deque<Long> sent = new ArrayDeque<>();
    private final Tallies seconds =
            new Tallies(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10);
    private final Tallies tokens = new Tallies(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048);
    private final Tallies sequences = new Tallies(1, 2, 4, 8, 16, 32, 64, 128, 256);
    private final List<Sum> stages = new ArrayList<>();
    private final List<List<RankUsage>> ranks = new ArrayList<>();

    private boolean busy;
    private long busyNanos;

    /** Until when {@link #busyNanos} has been counted. */
    private long counted;

    /** What a stage has done so far. */
    private static final class Sum {
        long compute;
        long wait;
        long exchange;
        long open;
        long bytes;
        long endedNanos;
        boolean any;

        void add(StageWork work) {
            compute += work.computeNanos();
            wait += work.waitNanos();
            exchange += work.exchangeNanos();
            bytes += work.bytesSent();
            long alone = work.endedNanos() - work.openedNanos();
            long since = any ? work.endedNanos() - endedNanos : alone;
            open += Math.clamp(since, 0, alone);
            endedNanos = work.endedNanos();
            any = true;
        }
    }

    /**
     * @param ranks of each stage
     * @param now in nanoseconds of the scheduler's clock, as all times here
     */
    public StepMeter(List<Integer> ranks, long now) {
        this.timeline = new StepTimeline(ranks.size(), now);
        for (int stage = 0; stage < ranks.size(); stage++) {
            stages.add(new Sum());
            List<RankUsage> ofStage = new ArrayList<>();
            for (int rank = 0; rank < ranks.get(stage); rank++) {
                ofStage.add(new RankUsage(stage, rank, 0, 0));
            }
            this.ranks.add(ofStage);
        }
    }

    /** A step is sent. */
    public void sent(long now) {
        count(now);
        busy = true;
        sent.addLast(now);
    }

    /** All steps that can be sent have been. */
    public void settle() {
        busy = !sent.isEmpty();
    }

    /**
     * The oldest step in flight is over.
     *
     * @param work what it cost every stage
     */
    public void retired(StepBatch batch, List<StageWork> work, long now) {
        count(now);
        long since = sent.removeFirst();
        seconds.add((now - since) / 1e9);
        tokens.add(batch.tokens());
        sequences.add(batch.entries().size());
        for (StageWork part : work) {
            if (part.stage() < stages.size()) {
                stages.get(part.stage()).add(part);
            }
        }
        timeline.add(batch, work, since, now);
    }

    /** From a result to the steps that it lets be sent there is work in flight too: stages wait for them. */
    private void count(long now) {
        busyNanos += busy ? now - counted : 0;
        counted = now;
    }

    /** A rank has done so much in this epoch; one that the epoch does not have is ignored. */
    public void note(RankUsage usage) {
        if (usage.stage() < ranks.size()
                && usage.rank() < ranks.get(usage.stage()).size()) {
            ranks.get(usage.stage()).set(usage.rank(), usage);
        }
    }

    /** All that was measured. */
    public PipelineStats now() {
        List<StageUsage> usages = new ArrayList<>();
        for (int stage = 0; stage < stages.size(); stage++) {
            Sum sum = stages.get(stage);
            usages.add(new StageUsage(
                    stage, sum.compute, sum.wait, sum.exchange, Math.max(0, busyNanos - sum.open), sum.bytes));
        }
        return new PipelineStats(
                busyNanos,
                usages,
                ranks.stream().flatMap(List::stream).toList(),
                seconds.now(),
                tokens.now(),
                sequences.now(),
                timeline.now());
    }
}
