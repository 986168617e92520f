package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.model.Partition;
import dev.troupe.model.ShardCompute;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;

/** One run of a whole replica under one order of events, a function of its seed, checked token by token. */
final class Rehearsal {
    private static final int MOST_TICKS = 500_000;

    private final Shape shape;
    private final Oracle oracle;
    private final Loader loader;

    /** What happened, over all runs. */
    private final Map<String, Long> seen = new TreeMap<>();

    /**
     * What a partition must cover, and what the cache allows.
     *
     * @param blockSizes in tokens
     */
    record Shape(int layers, int groups, int vocabulary, List<Integer> blockSizes) {
        Shape {
            blockSizes = List.copyOf(blockSizes);
        }

        int longestPrompt() {
            return 20 + blockSizes.getFirst();
        }
    }

    /** Makes a rank's share. */
    @FunctionalInterface
    interface Loader {
        ShardCompute load(Partition partition, int stage, int rank, int blocks, int blockSize) throws Exception;
    }

    Rehearsal(Shape shape, Oracle oracle, Loader loader) {
        this.shape = shape;
        this.oracle = oracle;
        this.loader = loader;
    }

    /** Runs every seed from 0. */
    void run(int seeds) {
        for (int seed = 0; seed < seeds; seed++) {
            try {
                run(new Random(seed));
            } catch (Exception | AssertionError failure) {
                throw new AssertionError("seed=" + seed, failure);
            }
        }
    }

    /** Kinds of events that happened, with how often. */
    Map<String, Long> seen() {
        return seen;
    }

    private void run(Random random) throws Exception {
        Partition partition = partition(random);
        int blockSize = shape.blockSizes().get(random.nextInt(shape.blockSizes().size()));
        int blocks = 12 + 64 / blockSize;
        List<List<ShardCompute>> shards = new ArrayList<>();
        for (int stage = 0; stage < partition.stages().size(); stage++) {
            shards.add(new ArrayList<>());
            for (int rank = 0; rank < partition.stages().get(stage).ranks().size(); rank++) {
                shards.get(stage).add(loader.load(partition, stage, rank, blocks, blockSize));
            }
        }
        SimulatedReplica replica = new SimulatedReplica(
                random,
                partition,
                blocks,
                blockSize,
                (stage, rank) -> shards.get(stage).get(rank));
        SimulatedScheduler scheduler =
                new SimulatedScheduler(random, oracle, replica, blocks, blockSize, 1 + random.nextInt(4));
        int sequences = 2 + random.nextInt(4);
        for (int i = 0; i < sequences; i++) {
            scheduler.submit(start(random), 1 + random.nextInt(6));
        }
        play(scheduler, replica);
        check(replica);
        count("cancelled", scheduler.cancelled);
        count("recomputed", scheduler.recomputed);
        count("failed", scheduler.failed);
        count("finished", scheduler.finished);
        count("chunks of one prompt in flight", scheduler.chunksOfOnePrompt);
        count("drafts accepted", scheduler.draftsAccepted);
        count("drafts rejected", scheduler.draftsRejected);
        count("means", scheduler.means);
        count("scores", scheduler.scores);
        count(
                "rounds of candidates",
                scheduler.roundsOfCandidates(shards.getLast().size()));
        replica.all().forEach(StepRunner::close);
    }

    private void play(SimulatedScheduler scheduler, SimulatedReplica replica) {
        int ticks = 0;
        while (!scheduler.done()) {
            scheduler.tick();
            count("several steps in flight", replica.all().stream().anyMatch(runner -> runner.openSteps() > 1) ? 1 : 0);
            for (int i = 0; i < 10; i++) {
                replica.tick();
            }
            assertThat(++ticks).as("hangs").isLessThan(MOST_TICKS);
        }
        replica.drain();
    }

    private void check(SimulatedReplica replica) {
        assertThat(replica.refused()).isEmpty();
        for (StepRunner runner : replica.all()) {
            assertThat(runner.openSteps()).isZero();
            assertThat(runner.counts().noRoom()).isZero();
            count("stale", runner.counts().stale());
            count("repeated", runner.counts().repeated());
        }
    }

    private void count(String what, long times) {
        if (times > 0) {
            seen.merge(what, times, Long::sum);
        }
    }

    /** Any cut of layers, and per stage any cut of groups and of vocabulary spans. */
    private Partition partition(Random random) {
        List<Integer> layerCuts = cuts(random, shape.layers(), 1 + random.nextInt(3));
        List<Partition.Stage> stages = new ArrayList<>();
        for (int s = 0; s + 1 < layerCuts.size(); s++) {
            List<Integer> groupCuts = cuts(random, shape.groups(), 1 + random.nextInt(4));
            List<Partition.Rank> ranks = new ArrayList<>();
            int row = 0;
            for (int r = 0; r + 1 < groupCuts.size(); r++) {
                int end = r + 2 == groupCuts.size() ? shape.vocabulary() : laterRow(random, row);
                ranks.add(new Partition.Rank(groupCuts.get(r), groupCuts.get(r + 1), row, end));
                row = end;
            }
            stages.add(new Partition.Stage(layerCuts.get(s), layerCuts.get(s + 1), ranks));
        }
        return new Partition(stages);
    }

    private int laterRow(Random random, int row) {
        int span = Math.ceilDiv(row, Partition.VOCABULARY_SPAN) + random.nextInt(3);
        return Math.min(shape.vocabulary(), span * Partition.VOCABULARY_SPAN);
    }

    private static List<Integer> cuts(Random random, int total, int parts) {
        TreeSet<Integer> cuts = new TreeSet<>(List.of(0, total));
        while (cuts.size() < parts + 1) {
            cuts.add(1 + random.nextInt(total - 1));
        }
        return List.copyOf(cuts);
    }

    private SequenceStart start(Random random) {
        int[] prompt = random.ints(1 + random.nextInt(shape.longestPrompt()), 20, shape.vocabulary())
                .toArray();
        if (random.nextInt(12) == 0) {
            prompt[random.nextInt(prompt.length)] = CountingModel.OVERFLOWING_TOKEN;
        }
        return new SequenceStart(
                Ints.of(prompt), prompt.length, sampling(random), random.nextInt(3), random.nextBoolean());
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
