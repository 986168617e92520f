package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.model.Partition;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class StepRunnerTest {
    private final CountingModel model = CountingModel.small();

    private SimulatedReplica replica(int... ranks) {
        Partition partition = TestPlans.partition(model, ranks);
        return new SimulatedReplica(
                new Random(1),
                partition,
                TestPlans.BLOCKS,
                TestPlans.BLOCK_SIZE,
                (stage, rank) ->
                        new CountingShard(model, partition, stage, rank, TestPlans.BLOCKS, TestPlans.BLOCK_SIZE));
    }

    private static ShardCounts total(SimulatedReplica replica) {
        return replica.all().stream()
                .map(StepRunner::counts)
                .reduce(
                        ShardCounts.ZERO,
                        (a, b) -> new ShardCounts(
                                a.stepsEnded() + b.stepsEnded(),
                                a.partialsSent() + b.partialsSent(),
                                a.handOffsSent() + b.handOffsSent(),
                                a.candidatesSent() + b.candidatesSent(),
                                a.resultsSent() + b.resultsSent(),
                                a.stale() + b.stale(),
                                a.repeated() + b.repeated(),
                                a.refused() + b.refused(),
                                a.noRoom() + b.noRoom()));
    }

    /** Logits are computed for some rows at a time; twenty are more. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void answersManyWantsInTheirOrder(int ranks) {
        int[] prompt = IntStream.range(40, 60).toArray();
        StepEntry entry = new StepEntry(
                5,
                TestPlans.greedy(prompt),
                0,
                Ints.of(prompt),
                Ints.of(0, 1, 2, 3, 4),
                IntStream.range(0, prompt.length)
                        .mapToObj(offset -> new Want(offset, Want.Kind.ROW))
                        .toList());
        SimulatedReplica replica = replica(ranks).withoutFaults();
        replica.join();

        replica.execute(new StepBatch(TestPlans.EPOCH, 1, List.of(entry), List.of(), 0));
        replica.drain();

        Oracle oracle = new CountingOracle(model);
        List<StepResult.Answer> expected = new ArrayList<>();
        for (int i = 0; i < prompt.length; i++) {
            Floats row = oracle.logits(Ints.of(prompt).slice(0, i + 1));
            expected.add(new StepResult.Row(5, i, row));
        }
        assertThat(replica.results().getFirst().answers()).isEqualTo(expected);
    }

    /** DESIGN: R (Execute) + 2·L·R·(R − 1) + (S − 1)·R + (R − 1) + 1 + B; the first and the last are the scheduler's. */
    @ParameterizedTest
    @CsvSource({"1, 1", "1, 2", "1, 4", "2, 1", "2, 2", "3, 2", "2, 8"})
    void sendsAsManyMessagesForADecodeStepAsTheDesignSays(int stages, int ranks) {
        int[] cut = new int[stages];
        Arrays.fill(cut, ranks);
        SimulatedReplica replica = replica(cut).withoutFaults();
        replica.join();
        replica.execute(TestPlans.prefill(1, 5, TestPlans.greedy(40, 41), 0));
        replica.drain();
        ShardCounts before = total(replica);

        replica.execute(TestPlans.decode(2, 5, 2, 50));
        replica.drain();

        ShardCounts after = total(replica);
        int layers = model.layers();
        assertThat(after.partialsSent() - before.partialsSent()).isEqualTo(2L * layers * ranks * (ranks - 1));
        assertThat(after.handOffsSent() - before.handOffsSent()).isEqualTo((stages - 1L) * ranks);
        assertThat(after.candidatesSent() - before.candidatesSent()).isEqualTo(ranks - 1L);
        assertThat(after.resultsSent() - before.resultsSent()).isEqualTo(1);
        assertThat(after.sent() - before.sent())
                .isEqualTo(2L * layers * ranks * (ranks - 1) + (stages - 1L) * ranks + (ranks - 1) + 1);
    }

    @Test
    void feedsEveryRankOfAWiderAndOfANarrowerStage() {
        SimulatedReplica replica = replica(2, 4, 1).withoutFaults();
        replica.join();

        replica.execute(TestPlans.prefill(1, 5, TestPlans.greedy(40, 41), 0));
        replica.drain();

        assertThat(replica.runner(0, 0).counts().handOffsSent()).isEqualTo(2);
        assertThat(replica.runner(0, 1).counts().handOffsSent()).isEqualTo(2);
        assertThat(replica.runner(1, 0).counts().handOffsSent()).isEqualTo(1);
        assertThat(replica.runner(1, 3).counts().handOffsSent()).isZero();
        assertThat(replica.results()).hasSize(1);
    }

    @Test
    void tellsOfATokenThatFailsOnARankThatFeedsNobody() {
        SimulatedReplica replica = replica(4, 2).withoutFaults();
        replica.join();

        replica.execute(TestPlans.prefill(1, 5, TestPlans.greedy(40, CountingModel.OVERFLOWING_TOKEN, 42), 0));
        replica.drain();

        StepResult result = replica.results().getFirst();
        assertThat(result.answers()).isEmpty();
        assertThat(result.failures())
                .containsExactly(
                        new StepResult.Failure(
                                5,
                                "a value at position 1 is not finite: it has overflowed f32, or the f16 of the key-value cache; no token is drawn from it"));
    }

    @Test
    void failsOnlyTheSequenceWhoseTokenFails() {
        SimulatedReplica replica = replica(2, 2).withoutFaults();
        replica.join();
        StepEntry bad = TestPlans.prefill(1, 5, TestPlans.greedy(CountingModel.OVERFLOWING_TOKEN), 0)
                .entries()
                .getFirst();
        SequenceStart start = TestPlans.greedy(40, 41);
        StepEntry good = TestPlans.prefill(1, 6, start, 1).entries().getFirst();

        replica.execute(new StepBatch(TestPlans.EPOCH, 1, List.of(bad, good), List.of(), 0));
        replica.drain();

        StepResult result = replica.results().getFirst();
        assertThat(result.failures()).extracting(StepResult.Failure::sequence).containsExactly(5L);
        assertThat(result.answers()).extracting(StepResult.Answer::sequence).containsExactly(6L);
        assertThat(((StepResult.Token) result.answers().getFirst()).token())
                .isEqualTo(
                        new CountingOracle(model).complete(start, 1).getFirst().token());
    }

    @Test
    void saysWhatAStepTookOnEveryStage() {
        SimulatedReplica replica = replica(2, 2, 1).withoutFaults();
        replica.join();

        replica.execute(TestPlans.prefill(1, 5, TestPlans.greedy(40, 41), 0));
        replica.drain();

        List<StageWork> work = replica.results().getFirst().work();
        assertThat(work).extracting(StageWork::stage).containsExactly(0, 1, 2);
        int tensor = 4 * 2 * model.hidden();
        assertThat(work)
                .extracting(StageWork::bytesSent)
                .containsExactly(4L * tensor + tensor, 4L * tensor + tensor, 0L);
        assertThat(work).allMatch(stage -> stage.computeNanos() > 0 && stage.waitNanos() >= 0);
    }

    @Test
    void countsTheTimeInWhichItHasNothingToDoButWaitForPartials() {
        long[] now = {100};
        Partition partition = TestPlans.partition(model, 2);
        List<List<TensorMessage>> inboxes = List.of(new ArrayList<>(), new ArrayList<>());
        List<StepResult> results = new ArrayList<>();
        List<ShardProgress> progress = new ArrayList<>();
        List<StepRunner> runners = new ArrayList<>();
        for (int rank = 0; rank < 2; rank++) {
            progress.add(new ShardProgress(new ShardId(TestPlans.EPOCH, 0, rank), () -> now[0]));
            CountingShard shard = new CountingShard(model, partition, 0, rank, TestPlans.BLOCKS, TestPlans.BLOCK_SIZE);
            runners.add(new StepRunner(
                    TestPlans.plan(partition, "here"),
                    new Share(shard, Guides.none()),
                    Backlog.Limits.DEFAULT,
                    new Inboxes(inboxes, results),
                    progress.get(rank)));
            runners.get(rank).join();
            runners.get(rank).execute(TestPlans.prefill(1, 5, TestPlans.greedy(40, 41), 0));
        }

        runners.get(0).advance();
        now[0] = 130;
        deliver(inboxes.get(1), runners.get(1));
        runners.get(1).advance();
        now[0] = 150;
        while (results.isEmpty()) {
            for (int rank = 0; rank < 2; rank++) {
                deliver(inboxes.get(rank), runners.get(rank));
                runners.get(rank).advance();
            }
        }

        assertThat(progress.get(0).work().waitNanos()).isEqualTo(50);
        assertThat(progress.get(1).work().waitNanos()).isZero();
        StageWork work = results.getFirst().work().getFirst();
        assertThat(work.exchangeNanos()).isEqualTo(50);
        assertThat(work.openedNanos()).isEqualTo(100);
        assertThat(work.endedNanos()).isEqualTo(150);
    }

    private static void deliver(List<TensorMessage> inbox, StepRunner runner) {
        List<TensorMessage> messages = List.copyOf(inbox);
        inbox.clear();
        messages.forEach(runner::deliver);
    }

    /** One stage's ranks without a network. */
    private record Inboxes(List<List<TensorMessage>> inboxes, List<StepResult> results) implements StepOutput {
        @Override
        public void toPeer(int rank, TensorMessage message) {
            inboxes.get(rank).add(message);
        }

        @Override
        public void toNextStage(int rank, HandOff handOff) {
            throw new AssertionError("there is no next stage");
        }

        @Override
        public void result(StepResult result) {
            results.add(result);
        }

        @Override
        public void refused(String reason) {
            throw new AssertionError(reason);
        }
    }

    @Test
    void opensNothingBeforeItHasJoined() {
        SimulatedReplica replica = replica(1);
        StepRunner runner = replica.runner(0, 0);
        runner.execute(TestPlans.prefill(1, 5, TestPlans.greedy(40), 0));
        assertThat(runner.hasWork()).isFalse();

        runner.join();

        assertThat(runner.hasWork()).isTrue();
    }

    @Test
    void doesNotSkipAStepThatHasNotCome() {
        SimulatedReplica replica = replica(1);
        StepRunner runner = replica.runner(0, 0);
        runner.join();
        runner.execute(TestPlans.prefill(2, 6, TestPlans.greedy(41), 1));
        assertThat(runner.advance()).isFalse();

        runner.execute(TestPlans.prefill(1, 5, TestPlans.greedy(40), 0));
        replica.drain();

        assertThat(replica.results()).extracting(StepResult::step).containsExactly(1L, 2L);
    }

    @Test
    void dropsOtherEpochsAndCountsThem() {
        SimulatedReplica replica = replica(2);
        StepRunner runner = replica.runner(0, 0);
        Floats values = new Floats(1, model.hidden(), new float[model.hidden()]);

        runner.deliver(new Partial(new Epoch(4, 7), 1, 0, 1, 4, 8, 0, values));
        runner.deliver(new Partial(new Epoch(2, 7), 1, 0, 1, 4, 8, 0, values));
        runner.execute(new StepBatch(
                new Epoch(3, 8),
                1,
                TestPlans.prefill(1, 5, TestPlans.greedy(40), 0).entries(),
                List.of(),
                0));

        assertThat(runner.counts().stale()).isEqualTo(3);
        runner.join();
        assertThat(runner.hasWork()).isFalse();
    }

    @Test
    void refusesWhatContradictsThePlanAndGoesOn() {
        SimulatedReplica replica = replica(2, 2).withoutFaults();
        replica.join();
        StepRunner first = replica.runner(0, 0);
        StepRunner last = replica.runner(1, 1);
        StepBatch batch = TestPlans.prefill(1, 5, TestPlans.greedy(40), 0);
        Floats values = new Floats(1, model.hidden(), new float[model.hidden()]);
        first.execute(batch);
        first.advance();

        first.deliver(new HandOff(batch, Ints.of(), List.of(), 0, values));
        first.deliver(new Partial(TestPlans.EPOCH, 1, 2, 1, 4, 8, 0, values));
        first.deliver(new Partial(TestPlans.EPOCH, 1, -1, 1, 4, 8, 0, values));
        first.deliver(new Partial(TestPlans.EPOCH, 0, 0, 1, 4, 8, 0, values));
        first.deliver(new Candidates(TestPlans.EPOCH, 1, 1, 0, List.of(), Ints.of(), Ints.of()));
        last.execute(batch);
        last.deliver(new Candidates(TestPlans.EPOCH, 0, 1, 0, List.of(), Ints.of(), Ints.of()));
        last.deliver(new CandidateRequest(TestPlans.EPOCH, 1, 1, Ints.of(0), Ints.of(9)));

        assertThat(first.counts().refused()).isEqualTo(5);
        assertThat(last.counts().refused()).isEqualTo(3);
        assertThat(replica.refused())
                .contains(
                        "stage 0 rank 0: step 1 came to the first stage with a hidden state",
                        "stage 0 rank 0: epoch=e3.7, step=1, exchange=2, from rank=1: this rank has computed 1 of 6 segments, so no peer can be there",
                        "stage 0 rank 0: candidates came to stage 0, which is not the last",
                        "stage 1 rank 1: step 1 came to stage 1 without a hidden state",
                        "stage 1 rank 1: epoch=e3.7, step=1, round=1: want 0 with limit 9 was asked of rank 1, which keeps no such row");

        replica.runner(0, 1).execute(batch);
        replica.drain();
        assertThat(replica.results()).hasSize(1);
    }

    @Test
    void asksForMoreCandidatesUntilAWideNucleusIsCovered() {
        SimulatedReplica replica = replica(3).withoutFaults();
        replica.join();
        SamplingParameters wide = new SamplingParameters(90, 0, 0.98f, 0, 1, 0, 0, Map.of(), 11, -1);
        SequenceStart start = new SequenceStart(Ints.of(40, 41), 2, wide, 0);

        replica.execute(TestPlans.prefill(1, 5, start, 0));
        replica.drain();

        assertThat(replica.runner(0, 0).counts().candidatesSent())
                .as("requests of rank 0")
                .isPositive();
        assertThat(((StepResult.Token) replica.results().getFirst().answers().getFirst()).token())
                .isEqualTo(
                        new CountingOracle(model).complete(start, 1).getFirst().token());
    }

    @Test
    void freesEverythingWithStepsInFlight() {
        Partition partition = TestPlans.partition(model, 2);
        List<CountingShard> shards = new ArrayList<>();
        SimulatedReplica replica = new SimulatedReplica(
                new Random(1), partition, TestPlans.BLOCKS, TestPlans.BLOCK_SIZE, (stage, rank) -> {
                    shards.add(
                            new CountingShard(model, partition, stage, rank, TestPlans.BLOCKS, TestPlans.BLOCK_SIZE));
                    return shards.getLast();
                });
        replica.join();
        StepRunner runner = replica.runner(0, 0);
        runner.execute(TestPlans.prefill(1, 5, TestPlans.greedy(40), 0));
        runner.execute(TestPlans.prefill(2, 6, TestPlans.greedy(40), 1));
        runner.advance();
        runner.advance();
        assertThat(runner.openSteps()).isEqualTo(2);

        runner.close();

        assertThat(shards.getFirst().openSteps()).isZero();
        assertThat(shards.getFirst().closed()).isTrue();
    }

    @Test
    void willNotGuessASequenceThatItDoesNotKnow() {
        SimulatedReplica replica = replica(1);
        StepRunner runner = replica.runner(0, 0);
        runner.join();
        runner.execute(TestPlans.decode(1, 5, 3, 40));

        assertThatThrownBy(runner::advance)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("sequence 5");
    }
}
