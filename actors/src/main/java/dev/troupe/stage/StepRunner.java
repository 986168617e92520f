package dev.troupe.stage;

import dev.troupe.model.Partition;
import dev.troupe.model.ShardCompute;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * Drives one rank's share of one stage: notes what arrives, in any order, and does one unit of local work at a time.
 * Several steps are in flight; while one waits for partials another computes. <em>Steps never overtake</em>: unit j of
 * step n + 1 is done only after unit j of step n, so that a later chunk of a prompt finds the earlier one's keys, and a
 * KV block may pass from one sequence to another between steps.
 *
 * <p>Knows no actors. Owned by one thread.
 */
final class StepRunner implements AutoCloseable {
    private final ShardId id;
    private final StageShape shape;
    private final ShardCompute compute;
    private final Guides guides;
    private final SequenceTable sequences;
    private final Backlog backlog;
    private final StepOutput output;
    private final ShardProgress progress;
    private final ShardTally tally = new ShardTally();
    private final @Nullable LastStage lastStage;
    private final OpenStep.Ending ending;

    /** Steps in flight, oldest first. */
    private final Deque<OpenStep> open = new ArrayDeque<>();

    private long newestOpened;
    private boolean joined;

    /**
     * @param share closed by {@link #close()}
     * @param limits of what is kept for steps that are not open
     * @param output where messages go; not used before {@link #join()}
     * @param progress whose rank this is, and where to publish
     */
    StepRunner(ReplicaPlan plan, Share share, Backlog.Limits limits, StepOutput output, ShardProgress progress) {
        Partition.Stage stage = plan.partition().stages().get(progress.id().stage());
        int next = progress.id().stage() + 1;
        this.id = progress.id();
        this.compute = share.compute();
        this.guides = share.guides();
        this.shape = StageShape.of(stage, id.rank(), compute);
        this.sequences = new SequenceTable(plan.kvBlockSize(), plan.kvBlocks(), guides);
        this.backlog = new Backlog(limits, shape.columns());
        this.output = output;
        this.progress = progress;
        if (next == plan.partition().stages().size()) {
            VocabularyRows own = new VocabularyRows(compute.firstVocabularyRow(), compute.vocabularyRows());
            lastStage = new LastStage(id, shape.ranks(), own, output, tally);
            ending = lastStage;
        } else {
            int nextRanks = plan.partition().stages().get(next).ranks().size();
            lastStage = null;
            ending = new HandOffEnding(id.stage(), id.rank(), shape.ranks(), nextRanks, output, tally);
        }
        progress.publish(ShardProgress.Activity.IDLE, 0, 0);
    }

    /** From now on peers can be reached: steps may be opened. */
    void join() {
        joined = true;
    }

    /** Notes a step of the first stage. */
    void execute(StepBatch batch) {
        if (fenced(batch.epoch())) {
            return;
        }
        try {
            if (id.stage() > 0) {
                throw new ContradictionException(
                        "step %d came to stage %d without a hidden state".formatted(batch.step(), id.stage()));
            }
            tally.note(batch.step() <= newestOpened ? Noted.REPEATED : backlog.noteBatch(batch, newestOpened + 1));
        } catch (ContradictionException refused) {
            refuse(refused);
        }
    }

    /** Notes a message of a rank. */
    void deliver(TensorMessage message) {
        if (fenced(message.epoch())) {
            return;
        }
        try {
            tally.note(note(message));
        } catch (ContradictionException refused) {
            refuse(refused);
        }
    }

    private boolean fenced(Epoch epoch) {
        if (epoch.equals(id.epoch())) {
            return false;
        }
        tally.stale++;
        progress.publish(tally.now());
        return true;
    }

    private void refuse(ContradictionException refused) {
        tally.refused++;
        output.refused("stage %d rank %d: %s".formatted(id.stage(), id.rank(), refused.getMessage()));
    }

    private Noted note(TensorMessage message) {
        if (message.step() < 1) {
            throw new ContradictionException("step=%d; steps count from 1".formatted(message.step()));
        }
        return switch (message) {
            case HandOff handOff -> noteHandOff(handOff);
            case Partial partial -> notePartial(partial);
            case Candidates candidates -> noteCandidates(candidates);
            case CandidateRequest request -> lastStage().answer(request, newestEnded());
        };
    }

    private Noted noteHandOff(HandOff handOff) {
        if (id.stage() == 0) {
            throw new ContradictionException(
                    "step %d came to the first stage with a hidden state".formatted(handOff.step()));
        }
        return handOff.step() <= newestOpened ? Noted.REPEATED : backlog.noteHandOff(handOff, newestOpened + 1);
    }

    private Noted notePartial(Partial partial) {
        if (partial.step() > newestOpened) {
            return backlog.noteEarly(partial, newestOpened + 1);
        }
        for (OpenStep step : open) {
            if (step.batch().step() == partial.step()) {
                return step.note(partial);
            }
        }
        return Noted.REPEATED;
    }

    private Noted noteCandidates(Candidates candidates) {
        LastStage last = lastStage();
        return candidates.step() > newestOpened
                ? backlog.noteEarly(candidates, newestOpened + 1)
                : last.note(candidates);
    }

    private LastStage lastStage() {
        if (lastStage == null) {
            throw new ContradictionException(
                    "candidates came to stage %d, which is not the last".formatted(id.stage()));
        }
        return lastStage;
    }

    private long newestEnded() {
        return open.isEmpty() ? newestOpened : open.getFirst().batch().step() - 1;
    }

    /** Whether {@link #advance()} would do something. */
    boolean hasWork() {
        return next() != null || canOpen();
    }

    /**
     * Does one unit of work, of the oldest step that has one.
     *
     * @return whether there was one
     */
    boolean advance() {
        OpenStep step = next();
        if (step == null && !canOpen()) {
            return false;
        }
        if (progress.last().activity() == ShardProgress.Activity.WAITING) {
            (step == null ? open.getLast() : step)
                    .addExchangeWait(progress.nanoTime() - progress.last().nanos());
        }
        if (step == null) {
            step = openNext();
        }
        progress.publish(ShardProgress.Activity.COMPUTING, step.batch().step(), step.unitsDone());
        step.run(output, tally, ending);
        if (step.ended()) {
            open.removeFirst();
            step.close();
            tally.stepsEnded++;
            progress.publish(tally.now());
        }
        if (!hasWork()) {
            progress.publish(
                    open.isEmpty() ? ShardProgress.Activity.IDLE : ShardProgress.Activity.WAITING,
                    step.batch().step(),
                    step.unitsDone());
        }
        return true;
    }

    private @Nullable OpenStep next() {
        int allowed = Integer.MAX_VALUE;
        for (OpenStep step : open) {
            if (step.unitsDone() < allowed && step.ready()) {
                return step;
            }
            allowed = Math.min(allowed, step.unitsDone());
        }
        return null;
    }

    private boolean canOpen() {
        return joined && (open.isEmpty() || open.getLast().unitsDone() > 0) && backlog.ready(newestOpened + 1);
    }

    private OpenStep openNext() {
        Backlog.Waiting arrived = backlog.take(newestOpened + 1);
        SequenceTable.Opened opened = sequences.open(arrived.batch());
        OpenStep step =
                new OpenStep(shape, opened, compute.begin(opened.tokens(), arrived.hidden()), arrived, progress);
        newestOpened++;
        open.addLast(step);
        if (lastStage != null) {
            lastStage.open(step);
        }
        for (TensorMessage early : arrived.early()) {
            deliver(early);
        }
        return step;
    }

    /** What has happened so far. */
    ShardCounts counts() {
        return tally.now();
    }

    /** Steps in flight on this rank. */
    int openSteps() {
        return open.size();
    }

    /** Frees all steps, then weights, cache and workspace. */
    @Override
    public void close() {
        open.forEach(OpenStep::close);
        open.clear();
        guides.close();
        compute.close();
    }
}
