package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.model.Partition;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * Whole replicas of plain runners under hundreds of orders of events, each a function of its seed: partition, chunks,
 * micro-batches, drafts, cancels, block reuse, and a network that delays, splits, repeats and mixes epochs up.
 */
class InterleavingsTest {
    private static final int SEEDS = 400;
    private static final int MOST_TICKS = 500_000;

    private final CountingModel model = CountingModel.small();
    private final Map<String, Long> seen = new HashMap<>();

    @Test
    void giveTheTokensOfTheUndisturbedRunInEveryOrderOfEvents() {
        for (int seed = 0; seed < SEEDS; seed++) {
            try {
                rehearse(new Random(seed));
            } catch (RuntimeException | AssertionError failure) {
                throw new AssertionError("seed=" + seed, failure);
            }
        }
        assertThat(seen.keySet())
                .as("every kind of disturbance must have happened, or the run shows nothing: %s", seen)
                .contains(
                        "stale",
                        "repeated",
                        "cancelled",
                        "recomputed",
                        "failed",
                        "finished",
                        "chunksOfOnePrompt",
                        "draftsAccepted",
                        "draftsRejected",
                        "roundsOfCandidates",
                        "stepsInFlight");
    }

    private void rehearse(Random random) {
        Partition partition = partition(random);
        int blockSize = 1 << random.nextInt(1, 4);
        int blocks = 12 + 64 / blockSize;
        List<CountingShard> shards = new ArrayList<>();
        SimulatedReplica replica = new SimulatedReplica(random, partition, blocks, blockSize, (stage, rank) -> {
            shards.add(new CountingShard(model, partition, stage, rank, blocks, blockSize));
            return shards.getLast();
        });
        SimulatedScheduler scheduler = new SimulatedScheduler(
                random, new CountingOracle(model), replica, blocks, blockSize, 1 + random.nextInt(4));
        int sequences = 3 + random.nextInt(5);
        for (int i = 0; i < sequences; i++) {
            scheduler.submit(start(random), 1 + random.nextInt(6));
        }

        int ticks = 0;
        while (!scheduler.done()) {
            scheduler.tick();
            count("stepsInFlight", replica.all().stream().anyMatch(runner -> runner.openSteps() > 1) ? 1 : 0);
            for (int i = 0; i < 10; i++) {
                replica.tick();
            }
            assertThat(++ticks).as("hangs: %s", scheduler).isLessThan(MOST_TICKS);
        }
        while (replica.tick()) {}

        assertThat(replica.refused()).isEmpty();
        for (StepRunner runner : replica.all()) {
            assertThat(runner.openSteps()).isZero();
            assertThat(runner.counts().noRoom()).isZero();
            count("stale", runner.counts().stale());
            count("repeated", runner.counts().repeated());
        }
        assertThat(shards).allMatch(shard -> shard.openSteps() == 0);
        note(scheduler, replica);
    }

    private void note(SimulatedScheduler scheduler, SimulatedReplica replica) {
        count("cancelled", scheduler.cancelled);
        count("recomputed", scheduler.recomputed);
        count("failed", scheduler.failed);
        count("finished", scheduler.finished);
        count("chunksOfOnePrompt", scheduler.chunksOfOnePrompt);
        count("draftsAccepted", scheduler.draftsAccepted);
        count("draftsRejected", scheduler.draftsRejected);
        ShardCounts root = replica.runner(replica.stages() - 1, 0).counts();
        count("roundsOfCandidates", root.candidatesSent());
    }

    private void count(String what, long times) {
        if (times > 0) {
            seen.merge(what, times, Long::sum);
        }
    }

    /** Any cut of layers, and per stage any cut of groups and of vocabulary spans. */
    private Partition partition(Random random) {
        List<Integer> layerCuts = cuts(random, model.layers(), 1 + random.nextInt(3));
        List<Partition.Stage> stages = new ArrayList<>();
        int spans = Math.ceilDiv(model.vocabulary(), Partition.VOCABULARY_SPAN);
        for (int s = 0; s + 1 < layerCuts.size(); s++) {
            List<Integer> groupCuts = cuts(random, model.groups(), 1 + random.nextInt(4));
            List<Partition.Rank> ranks = new ArrayList<>();
            int row = 0;
            for (int r = 0; r + 1 < groupCuts.size(); r++) {
                boolean lastRank = r + 2 == groupCuts.size();
                int end = lastRank
                        ? spans
                        : Math.min(spans, Math.ceilDiv(row, Partition.VOCABULARY_SPAN) + random.nextInt(3));
                int toRow = Math.min(model.vocabulary(), end * Partition.VOCABULARY_SPAN);
                ranks.add(new Partition.Rank(groupCuts.get(r), groupCuts.get(r + 1), row, toRow));
                row = toRow;
            }
            stages.add(new Partition.Stage(layerCuts.get(s), layerCuts.get(s + 1), ranks));
        }
        return new Partition(stages);
    }

    private static List<Integer> cuts(Random random, int total, int parts) {
        TreeSet<Integer> cuts = new TreeSet<>(List.of(0, total));
        while (cuts.size() < parts + 1) {
            cuts.add(1 + random.nextInt(total - 1));
        }
        return List.copyOf(cuts);
    }

    private SequenceStart start(Random random) {
        int[] prompt =
                random.ints(1 + random.nextInt(20), 20, model.vocabulary()).toArray();
        if (random.nextInt(12) == 0) {
            prompt[random.nextInt(prompt.length)] = CountingModel.OVERFLOWING_TOKEN;
        }
        return new SequenceStart(Ints.of(prompt), prompt.length, sampling(random), random.nextInt(3));
    }

    private static SamplingParameters sampling(Random random) {
        long seed = random.nextLong();
        return switch (random.nextInt(5)) {
            case 0 -> SamplingParameters.greedy();
            case 1 -> new SamplingParameters(1, 0, 1, 0, 1, 0, 0, Map.of(), seed, 3);
            case 2 -> new SamplingParameters(8, 5, 0.9f, 0, 1.2f, 0.5f, 0.1f, Map.of(40, 5f), seed, -1);
            case 3 -> new SamplingParameters(60, 0, 0.95f, 0, 1, 0, 0, Map.of(), seed, 0);
            default -> new SamplingParameters(20, 0, 1, 0.02f, 1, 1, 0, Map.of(), seed, -1);
        };
    }
}
