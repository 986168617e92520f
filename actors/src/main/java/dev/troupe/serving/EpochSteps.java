package dev.troupe.serving;

import dev.troupe.kvcache.KvBlockPool;
import dev.troupe.kvcache.PrefixHasher;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.serving.meter.PipelineStats;
import dev.troupe.serving.meter.RankUsage;
import dev.troupe.serving.meter.StepMeter;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepResult;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The steps of one epoch from planned to retired, with their cost and how long to wait for them. Owned by one thread.
 */
final class EpochSteps {
    /** A step's result with its rows fits a message between nodes, whose limit is 256 KiB. */
    private static final int RESULT_BYTES = 192 << 10;

    private static final Submission CANARY = new Submission(
            new GenerationId("canary", ""),
            "canary",
            Ints.of(0),
            List.of(new Submission.Choice(0, Ints.of())),
            SamplingParameters.greedy(),
            new FinishRule(1, Ints.of()),
            Returns.TOKENS_ONLY);

    private final Epoch epoch;
    private final StepPlanner planner;
    private final Admission admission;
    private final StepPatience patience;
    private final LongSupplier nanoTime;
    private final StepMeter meter;

    /** What computes a token for nobody, to see that it can be computed. */
    private @Nullable Sequence canary;

    /** Since when the replica works on the oldest step in flight, in nanoseconds of the clock. */
    private long busySince;

    private boolean served;
    private long steps;
    private long tokens;
    private long completionTokens;

    EpochSteps(Epoch epoch, ReplicaPlan plan, SchedulerSettings settings, LongSupplier nanoTime) {
        this.epoch = epoch;
        KvBlockPool pool = new KvBlockPool(plan.kvBlocks(), plan.kvBlockSize());
        BlockTables tables = new BlockTables(pool, settings.prefixCache() ? hasher(plan) : null);
        StepLimits limits = settings.limits().withRowsWithin(RESULT_BYTES, Admission.vocabulary(plan));
        this.planner = new StepPlanner(epoch, limits, tables);
        this.admission = new Admission(settings, plan, pool);
        this.patience =
                new StepPatience(settings.waits().firstStep(), settings.waits().leastStep());
        this.nanoTime = nanoTime;
        this.meter = new StepMeter(
                plan.partition().stages().stream()
                        .map(stage -> stage.ranks().size())
                        .toList(),
                nanoTime.getAsLong());
    }

    private static PrefixHasher hasher(ReplicaPlan plan) {
        return new PrefixHasher(
                List.of(
                        plan.model(),
                        plan.fingerprint(),
                        plan.numerics(),
                        plan.kvType().label()),
                plan.kvBlockSize());
    }

    StepPlanner planner() {
        return planner;
    }

    /** Why a generation can never be computed, with the numbers; empty if it can. */
    Optional<String> refusal(Submission submission) {
        return admission.refusal(submission);
    }

    /**
     * All steps that can be sent now.
     *
     * @throws IllegalStateException if there are sequences but no step could ever be planned again
     */
    List<StepBatch> plan() {
        if (planner.oldestInFlight().isEmpty()) {
            busySince = nanoTime.getAsLong();
        }
        List<StepBatch> batches = new ArrayList<>();
        for (Optional<StepBatch> next = planner.plan(); next.isPresent(); next = planner.plan()) {
            batches.add(next.get());
            if (!isCanary(next.get())) {
                meter.sent(nanoTime.getAsLong());
            }
        }
        meter.settle();
        if (planner.oldestInFlight().isEmpty() && !planner.sequences().isEmpty()) {
            throw new IllegalStateException("nothing is in flight and no step can be planned for %s with %s"
                    .formatted(planner.sequences(), planner.pool()));
        }
        return batches;
    }

    /** Whether there is nothing to compute and nothing in flight. */
    boolean isIdle() {
        return planner.sequences().isEmpty() && planner.oldestInFlight().isEmpty();
    }

    /** Adds a sequence of one token, which proves that every device computes. */
    void sendCanary(long id) {
        Sequence fresh = new Sequence(id, CANARY, CANARY.choices().getFirst());
        canary = fresh;
        planner.add(fresh);
    }

    /** There is something better to do; a step of it that is in flight retires as usual. */
    void endCanary() {
        if (canary != null) {
            planner.remove(canary);
        }
    }

    /** Known tokens of all sequences that the ranks hold: what another epoch would have to compute again. */
    int tokensHeld() {
        return planner.sequences().stream()
                .filter(Sequence::holdsBlocks)
                .mapToInt(Sequence::known)
                .sum();
    }

    /** How long to wait for the oldest step in flight. */
    Duration patience(StepBatch oldest) {
        return patience.of(oldest.tokens());
    }

    /** Notes an expected result and retires what it completes. */
    List<StepPlanner.Progress> retire(StepResult result) {
        List<StepPlanner.Retired> retired = planner.retire(result);
        List<StepPlanner.Progress> progress = new ArrayList<>();
        long now = nanoTime.getAsLong();
        for (StepPlanner.Retired step : retired) {
            if (isCanary(step.batch())) {
                continue;
            }
            steps++;
            tokens += step.batch().tokens();
            meter.retired(step.batch(), step.result().work(), now);
            progress.addAll(step.progress());
        }
        if (!retired.isEmpty()) {
            served = true;
            int size = retired.stream().mapToInt(step -> step.batch().tokens()).sum();
            patience.measured(now - busySince, size);
            busySince = now;
        }
        completionTokens += progress.stream()
                .flatMap(part -> part.answers().stream())
                .filter(answer -> answer instanceof StepResult.Token)
                .count();
        return progress;
    }

    /** It is only ever alone: it is added where nothing else is, and removed when something comes. */
    private boolean isCanary(StepBatch batch) {
        return canary != null && batch.entries().getFirst().sequence() == canary.id();
    }

    /** Whether any step has given a result, a canary's too. */
    boolean hasServed() {
        return served;
    }

    /** Steps retired. */
    long steps() {
        return steps;
    }

    /** Tokens computed by them. */
    long tokens() {
        return tokens;
    }

    /** Tokens drawn by them. */
    long completionTokens() {
        return completionTokens;
    }

    /** What the ranks of this epoch have done. */
    void note(List<Placement.RankReport> ranks) {
        for (Placement.RankReport rank : ranks) {
            if (rank.id().epoch().equals(epoch)) {
                meter.note(new RankUsage(
                        rank.id().stage(),
                        rank.id().rank(),
                        rank.work().nanos(),
                        rank.work().waitNanos()));
            }
        }
    }

    /** What the steps cost. */
    PipelineStats pipeline() {
        return meter.now();
    }
}
