package dev.troupe.serving.meter;

import dev.troupe.stage.StageWork;
import dev.troupe.stage.StepBatch;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * The newest steps of an epoch on one axis of time. Every stage has a clock of its own; what is known is that a step begins nowhere
 * before it has ended at the stage before, and that it has ended everywhere when its result is there. Over all steps that are kept
 * this leaves each clock a little room, at most as much as the shortest ways of messages take, and it is put in the middle.
 * Owned by one thread.
 */
final class StepTimeline {
    private static final int KEPT = 48;

    private final int stages;
    private final long origin;
    private final Deque<Kept> kept = new ArrayDeque<>(KEPT);

    /** A step without what it computed. */
    private record Kept(long step, int sequences, int tokens, List<StageWork> work, long sent, long retired) {}

    /** @param origin of the axis, in nanoseconds of the scheduler's clock */
    StepTimeline(int stages, long origin) {
        this.stages = stages;
        this.origin = origin;
    }

    /** A step that did not say what it cost every stage is left out. */
    void add(StepBatch batch, List<StageWork> work, long sent, long retired) {
        if (work.size() != stages) {
            return;
        }
        if (kept.size() == KEPT) {
            kept.removeFirst();
        }
        kept.addLast(
                new Kept(batch.step(), batch.entries().size(), batch.tokens(), work, sent - origin, retired - origin));
    }

    List<StepTrace> now() {
        List<Kept> steps = List.copyOf(kept);
        long[] after = steps.stream().mapToLong(Kept::sent).toArray();
        long[][] starts = new long[steps.size()][stages];
        for (int stage = 0; stage < stages && !steps.isEmpty(); stage++) {
            long offset = offset(steps, after, stage);
            for (int i = 0; i < steps.size(); i++) {
                StageWork work = steps.get(i).work().get(stage);
                starts[i][stage] = work.openedNanos() + offset;
                after[i] = starts[i][stage] + length(work);
            }
        }
        List<StepTrace> traces = new ArrayList<>();
        for (int i = 0; i < steps.size(); i++) {
            traces.add(trace(steps.get(i), starts[i]));
        }
        return traces;
    }

    /**
     * What to add to the clock of a stage.
     *
     * @param after when each step had ended at the stage before
     */
    private long offset(List<Kept> steps, long[] after, int stage) {
        long least = Long.MIN_VALUE;
        long most = Long.MAX_VALUE;
        for (int i = 0; i < steps.size(); i++) {
            Kept step = steps.get(i);
            long opened = step.work().get(stage).openedNanos();
            long rest = step.work().subList(stage, stages).stream()
                    .mapToLong(StepTimeline::length)
                    .sum();
            least = Math.max(least, after[i] - opened);
            most = Math.min(most, step.retired() - rest - opened);
        }
        return least + (most - least) / (stages - stage + 1);
    }

    private static long length(StageWork work) {
        return work.endedNanos() - work.openedNanos();
    }

    private StepTrace trace(Kept step, long[] starts) {
        List<StepTrace.Span> spans = new ArrayList<>();
        for (int stage = 0; stage < stages; stage++) {
            spans.add(new StepTrace.Span(
                    starts[stage], starts[stage] + length(step.work().get(stage))));
        }
        return new StepTrace(step.step(), step.sequences(), step.tokens(), step.sent(), step.retired(), spans);
    }
}
