package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kvcache.KvBlockPool;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepEntry;
import dev.troupe.stage.StepResult;
import dev.troupe.stage.TensorShard;
import dev.troupe.stage.Want;
import dev.troupe.tensor.Ints;
import dev.troupe.wire.kryo.FakeRefs;
import dev.troupe.wire.kryo.WireCodec;
import dev.troupe.wire.kryo.WireTypes;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** What the next step computes. */
class StepPlannerTest extends StepPlannerFixture {
    @Test
    void describesANewSequenceWholeAndAKnownOneAsADifference() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 8);
        CountingReplica replica = new CountingReplica(8, 4);
        Sequence sequence = sequence(5, 2);
        planner.add(sequence);

        StepBatch first = planner.plan().orElseThrow();
        replica.execute(first);
        retire(planner, replica);
        StepBatch second = planner.plan().orElseThrow();

        assertThat(first.step()).isEqualTo(1);
        StepEntry whole = first.entries().getFirst();
        assertThat(whole.start()).isNotNull();
        assertThat(whole.tokens()).isEqualTo(sequence.submission().prompt());
        assertThat(whole.newBlocks().size()).isEqualTo(2);
        assertThat(whole.wants()).containsExactly(new Want(4, Want.Kind.TOKEN));
        StepEntry difference = second.entries().getFirst();
        assertThat(difference.start()).isNull();
        assertThat(difference.firstPosition()).isEqualTo(5);
        assertThat(difference.tokens().toArray())
                .containsExactly(drawn.getOrDefault(sequence.id(), List.of()).getFirst());
        assertThat(difference.newBlocks().isEmpty()).isTrue();
    }

    @Test
    void tellsRanksWhichResultsHaveComeSoThatTheyForgetThoseAndNoOthers() {
        StepPlanner planner = planner(new StepLimits(32, 16, 8, 8, 3, 8), 20);
        CountingReplica replica = new CountingReplica(20, 4);
        planner.add(sequence(80, 1));
        StepBatch first = planner.plan().orElseThrow();
        StepBatch second = planner.plan().orElseThrow();
        replica.execute(first);
        replica.execute(second);

        retire(planner, replica);
        StepBatch third = planner.plan().orElseThrow();

        assertThat(List.of(first.retired(), second.retired(), third.retired())).containsExactly(0L, 0L, 1L);
    }

    @Test
    void cutsALongPromptIntoChunksThatMayBeInFlightTogether() {
        StepPlanner planner = planner(new StepLimits(32, 16, 8, 8, 3, 8), 20);
        planner.add(sequence(40, 1));

        StepBatch first = planner.plan().orElseThrow();
        StepBatch second = planner.plan().orElseThrow();
        StepBatch third = planner.plan().orElseThrow();

        assertThat(tokensOf(first)).containsExactly(16);
        assertThat(first.entries().getFirst().wants()).isEmpty();
        assertThat(second.entries().getFirst().firstPosition()).isEqualTo(16);
        assertThat(tokensOf(third)).containsExactly(8);
        assertThat(third.entries().getFirst().wants()).containsExactly(new Want(7, Want.Kind.TOKEN));
        assertThat(planner.plan()).isEmpty();
    }

    @Test
    void plansNothingForASequenceWhoseTokenIsPending() {
        StepPlanner planner = planner(new StepLimits(32, 16, 8, 8, 4, 8), 8);
        planner.add(sequence(3, 5));
        assertThat(planner.plan()).isPresent();

        assertThat(planner.plan()).isEmpty();
    }

    @Test
    void setsDecodeTokensAsideBeforeALongPromptTakesTheBudget() {
        StepPlanner planner = planner(new StepLimits(20, 20, 8, 8, 1, 8), 40);
        CountingReplica replica = new CountingReplica(40, 4);
        planner.add(sequence(2, 20));
        planner.add(sequence(60, 20));
        planner.add(sequence(3, 20));
        List<List<Integer>> steps = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            StepBatch batch = planner.plan().orElseThrow();
            steps.add(tokensOf(batch));
            replica.execute(batch);
            retire(planner, replica);
        }

        assertThat(steps)
                .containsExactly(
                        List.of(2, 18),
                        List.of(1, 19),
                        List.of(1, 19),
                        List.of(1, 4, 3),
                        List.of(1, 1, 1),
                        List.of(1, 1, 1));
    }

    @Test
    void sharesDecodingSequencesEvenlyBetweenTheStepsInFlight() {
        StepPlanner planner = planner(new StepLimits(32, 8, 8, 8, 2, 8), 40);
        CountingReplica replica = new CountingReplica(40, 4);
        for (int i = 0; i < 6; i++) {
            planner.add(sequence(2, 50));
        }
        List<Integer> sizes = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            planner.plan()
                    .ifPresentOrElse(
                            batch -> {
                                sizes.add(batch.entries().size());
                                replica.execute(batch);
                            },
                            () -> retire(planner, replica));
        }

        assertThat(sizes).hasSizeGreaterThan(10);
        assertThat(sizes.subList(1, sizes.size())).containsOnly(3);
    }

    @Test
    void describesNoMoreInAStepThanAMessageBetweenNodesHolds() {
        WireCodec codec = new WireCodec(WireTypes.load(), new FakeRefs());
        int prompt = 100_000;
        int blocks = 64 * 1000;
        StepPlanner planner =
                new StepPlanner(EPOCH, new StepLimits(256, 4, 64, 256, 1, 8), new KvBlockPool(blocks, 128));
        Ints tokens =
                Ints.of(IntStream.generate(() -> (1 << 28) - 1).limit(prompt).toArray());
        for (long id = 1; id <= 64; id++) {
            planner.add(new Sequence(
                    id,
                    new Submission(
                            new GenerationId("g" + id, "test"),
                            "trace",
                            tokens,
                            List.of(choice()),
                            SamplingParameters.greedy(),
                            new FinishRule(8, Ints.of()),
                            Returns.TOKENS_ONLY),
                    choice()));
        }

        List<Long> described = new ArrayList<>();
        int largest = 0;
        for (int step = 1; described.size() < 64; step++) {
            assertThat(step).as("steps").isLessThan(100);
            StepBatch batch = planner.plan().orElseThrow();
            batch.entries().stream()
                    .filter(entry -> entry.start() != null)
                    .forEach(entry -> described.add(entry.sequence()));
            largest = Math.max(largest, codec.encode(new TensorShard.Execute(batch)).length);
            planner.retire(new StepResult(EPOCH, batch.step(), List.of(), List.of(), List.of()));
        }

        assertThat(largest).isBetween(2 * 4 * prompt, 2 << 20);
        assertThat(described)
                .containsExactlyElementsOf(LongStream.rangeClosed(1, 64).boxed().toList());
    }

    @Test
    void givesTheTokensOfTheModelWhateverTheBatchAndTheChunks() {
        for (StepLimits limits : List.of(
                ONE_IN_FLIGHT,
                new StepLimits(5, 3, 2, 3, 1, 2),
                new StepLimits(64, 7, 4, 9, 3, 8),
                new StepLimits(1, 1, 1, 1, 4, 2))) {
            drawn.clear();
            StepPlanner planner = planner(limits, 60);
            CountingReplica replica = new CountingReplica(60, 4);
            List<Sequence> sequences = IntStream.range(0, 9)
                    .mapToObj(i -> sequence(1 + 5 * i, 1 + i % 4 * 3))
                    .toList();
            sequences.forEach(planner::add);

            runToTheEnd(planner, replica);

            sequences.forEach(sequence -> assertThat(drawn.get(sequence.id()))
                    .isEqualTo(CountingReplica.completion(sequence.submission(), 0)));
            assertThat(planner.pool().free()).isEqualTo(60);
            assertThat(planner.preemptions()).isZero();
        }
    }

    @Test
    void putsTheYoungestBackWhenBlocksRunOutAndStillGivesTheSameTokens() {
        StepPlanner planner = planner(new StepLimits(32, 8, 8, 8, 2, 8), 12);
        CountingReplica replica = new CountingReplica(12, 4);
        List<Sequence> sequences =
                IntStream.range(0, 5).mapToObj(i -> sequence(3, 40)).toList();
        sequences.forEach(planner::add);

        runToTheEnd(planner, replica);

        assertThat(planner.preemptions()).isPositive();
        sequences.forEach(sequence ->
                assertThat(drawn.get(sequence.id())).isEqualTo(CountingReplica.completion(sequence.submission(), 0)));
        assertThat(planner.pool().free()).isEqualTo(12);
    }

    @Test
    void neverPutsTheOldestBack() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 12);
        CountingReplica replica = new CountingReplica(12, 4);
        Sequence oldest = sequence(3, 45);
        planner.add(oldest);
        for (int i = 0; i < 4; i++) {
            planner.add(sequence(3, 45));
        }

        while (planner.sequences().contains(oldest)) {
            StepBatch batch = planner.plan().orElseThrow();
            assertThat(batch.entries().stream().map(StepEntry::sequence)).contains(oldest.id());
            replica.execute(batch);
            retire(planner, replica);
        }

        assertThat(planner.preemptions()).isPositive();
    }

    @Test
    void startsNoYoungerSequenceBeforeAnOlderOneThatWaitsForBlocks() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 8);
        CountingReplica replica = new CountingReplica(8, 4);
        planner.add(sequence(12, 8));
        Sequence large = sequence(24, 8);
        Sequence small = sequence(1, 8);
        planner.add(large);
        planner.add(small);

        replica.execute(planner.plan().orElseThrow());
        retire(planner, replica);
        StepBatch second = planner.plan().orElseThrow();

        assertThat(second.entries()).hasSize(1);
        assertThat(large.holdsBlocks()).isFalse();
        assertThat(small.holdsBlocks()).isFalse();
    }

    @Test
    void freesTheBlocksOfACancelledSequenceWhenItsStepRetires() {
        StepPlanner planner = planner(ONE_IN_FLIGHT, 8);
        CountingReplica replica = new CountingReplica(8, 4);
        Sequence sequence = sequence(9, 8);
        Sequence other = sequence(2, 8);
        planner.add(sequence);
        planner.add(other);
        replica.execute(planner.plan().orElseThrow());

        planner.remove(sequence);
        planner.checkIntegrity();
        assertThat(planner.pool().free()).isEqualTo(4);
        List<StepPlanner.Progress> progress = retire(planner, replica);

        assertThat(progress).extracting(StepPlanner.Progress::sequence).containsExactly(other);
        assertThat(planner.pool().free()).isEqualTo(7);
        assertThat(planner.plan().orElseThrow().released()).containsExactly(sequence.id());
    }
}
