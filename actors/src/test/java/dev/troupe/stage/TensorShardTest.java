package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.model.Partition;
import dev.troupe.model.ShardCompute;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.sampling.TokenDraw;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.tensor.Ints;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class TensorShardTest {
    private static final String SLOT = "127.0.0.1:2551#9c/cpu0";
    private static final ShardId ID = new ShardId(TestPlans.EPOCH, 0, 0);

    @Nullable
    private static ActorTestKit kit;

    private final CountingModel model = CountingModel.small();
    private final Partition partition = model.unsplit();
    private final ReplicaPlan plan = TestPlans.plan(partition, SLOT);
    private final CountingShard compute =
            new CountingShard(model, partition, 0, 0, TestPlans.BLOCKS, TestPlans.BLOCK_SIZE);
    private final ShardRoster roster = new ShardRoster();
    private final RememberedShards registry = new RememberedShards();
    private final TestProbe<PipelineStage.Command> stage = kit().createTestProbe(PipelineStage.Command.class);
    private final TestProbe<StepResult> results = kit().createTestProbe(StepResult.class);

    @BeforeAll
    static void start() {
        kit = ActorTestKit.create();
    }

    @AfterAll
    static void stop() {
        kit().shutdownTestKit();
    }

    private static ActorTestKit kit() {
        if (kit == null) {
            throw new IllegalStateException("not started");
        }
        return kit;
    }

    private ActorRef<TensorShard.Command> spawn(ShardLoader loader) {
        ShardHost host =
                new ShardHost(SLOT, "", loader, (peer, message) -> peer.ref().tell(message), registry, roster);
        return kit().spawn(TensorShard.create(host), TensorShard.props());
    }

    private Peer prepare(ActorRef<TensorShard.Command> shard) {
        shard.tell(new TensorShard.Prepare(ID, SLOT, plan, stage.getRef()));
        return stage.expectMessageClass(PipelineStage.Preparing.class).peer();
    }

    private void join(ActorRef<TensorShard.Command> shard) {
        Peer peer = prepare(shard);
        stage.expectMessage(new PipelineStage.Prepared(peer));
        shard.tell(new TensorShard.Join(TestPlans.EPOCH, List.of(peer), List.of(), results.getRef(), stage.getRef()));
        stage.expectMessage(new PipelineStage.Joined(ID));
    }

    private void expectEnd(ActorRef<TensorShard.Command> shard) {
        results.expectTerminated(shard);
        assertThat(roster.residents()).isEmpty();
        assertThat(registry.ids()).isEmpty();
    }

    @Test
    void answersAgainWhenItIsToldAgain() {
        CountDownLatch mayLoad = new CountDownLatch(1);
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> {
            awaitQuietly(mayLoad);
            return compute;
        });
        Peer peer = prepare(shard);
        assertThat(prepare(shard)).isEqualTo(peer);
        mayLoad.countDown();
        stage.expectMessage(new PipelineStage.Prepared(peer));

        shard.tell(new TensorShard.Prepare(ID, SLOT, plan, stage.getRef()));

        stage.expectMessage(new PipelineStage.Prepared(peer));
        TensorShard.Join join =
                new TensorShard.Join(TestPlans.EPOCH, List.of(peer), List.of(), results.getRef(), stage.getRef());
        shard.tell(join);
        shard.tell(join);
        stage.expectMessage(new PipelineStage.Joined(ID));
        stage.expectMessage(new PipelineStage.Joined(ID));
        assertThat(roster.residents()).hasSize(1);
    }

    @Test
    void givesTheTokensOfTheUndisturbedRun() {
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> compute);
        SequenceStart start = TestPlans.greedy(40, 41, 42);
        List<TokenDraw.Token> expected = new CountingOracle(model).complete(start, 2);
        join(shard);

        shard.tell(new TensorShard.Execute(TestPlans.prefill(1, 5, start, 0)));
        StepResult.Token first = token(results.receiveMessage());
        shard.tell(new TensorShard.Execute(TestPlans.decode(2, 5, 3, first.token())));
        StepResult.Token second = token(results.receiveMessage());

        assertThat(List.of(first.token(), second.token()))
                .isEqualTo(expected.stream().map(TokenDraw.Token::token).toList());
    }

    private static StepResult.Token token(StepResult result) {
        return (StepResult.Token) result.answers().getFirst();
    }

    @Test
    void keepsAStepThatArrivesBeforeItsJoin() {
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> compute);
        Peer peer = prepare(shard);
        stage.expectMessage(new PipelineStage.Prepared(peer));
        shard.tell(new TensorShard.Execute(TestPlans.prefill(1, 5, TestPlans.greedy(40, 41), 0)));
        results.expectNoMessage();

        shard.tell(new TensorShard.Join(TestPlans.EPOCH, List.of(peer), List.of(), results.getRef(), stage.getRef()));

        assertThat(results.receiveMessage().step()).isEqualTo(1);
    }

    @Test
    void computesOnAThreadOfItsOwnAndLoadsOnAnother() {
        Set<String> threads = new HashSet<>();
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> {
            threads.add(Thread.currentThread().getName());
            return new HookedShard(
                    compute, () -> threads.add(Thread.currentThread().getName()));
        });
        join(shard);

        shard.tell(new TensorShard.Execute(TestPlans.prefill(1, 5, TestPlans.greedy(40), 0)));
        results.receiveMessage();

        assertThat(threads).hasSize(2).anyMatch(name -> name.contains("shard-dispatcher"));
    }

    @Test
    void compilesGuidesOnADispatcherOfTheirOwn() {
        CountDownLatch busy = new CountDownLatch(1);
        kit().system()
                .dispatchers()
                .lookup(DispatcherSelector.fromConfig("troupe.guide-dispatcher"))
                .execute(() -> awaitQuietly(busy));
        GuideSpec guide = new GuideSpec(GuideSpec.Kind.REGEX, "aaaa");
        SamplingParameters sampling = new SamplingParameters(0, 0, 1, 0, 1, 0, 0, Map.of(), 0, -1, guide);
        ActorRef<TensorShard.Command> shard = spawn(new WithTokens());
        join(shard);

        shard.tell(new TensorShard.Execute(
                TestPlans.prefill(1, 5, new SequenceStart(Ints.of(40, 41), 2, sampling, 0), 0)));
        assertThat(results.receiveMessage().answers()).containsExactly(new StepResult.Deferred(5, 1));
        busy.countDown();
        StepResult.Answer answer = new StepResult.Deferred(5, 1);
        for (int step = 2; answer instanceof StepResult.Deferred; step++) {
            shard.tell(new TensorShard.Execute(TestPlans.decode(step, 5, 1, 41)));
            answer = results.receiveMessage().answers().getFirst();
        }

        assertThat(((StepResult.Token) answer).token()).isEqualTo('a');
    }

    /** A model whose tokens are bytes. */
    private final class WithTokens implements ShardLoader {
        @Override
        public ShardCompute load(ShardId id, ReplicaPlan of) {
            return compute;
        }

        @Override
        public TokenTable tokens(ReplicaPlan of) {
            int end = model.vocabulary() - 1;
            return new TokenTable(
                    model.vocabulary(),
                    id -> id < 256 && id != end ? new byte[] {(byte) id} : new byte[0],
                    Ints.of(end));
        }
    }

    @Test
    void refusesASlotThatThePlanDoesNotName() {
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> compute);

        shard.tell(new TensorShard.Prepare(ID, "127.0.0.2:2551#1/cpu0", plan, stage.getRef()));

        assertThat(stage.expectMessageClass(PipelineStage.NotPrepared.class).reason())
                .isEqualTo("the plan wants it on slot 127.0.0.2:2551#1/cpu0 and it runs on " + SLOT);
        expectEnd(shard);
    }

    @Test
    void saysWhyItsShareCannotBeLoaded() {
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> {
            throw new IOException("model.safetensors is 3 bytes long");
        });

        prepare(shard);

        assertThat(stage.expectMessageClass(PipelineStage.NotPrepared.class))
                .isEqualTo(new PipelineStage.NotPrepared(ID, "model.safetensors is 3 bytes long"));
        expectEnd(shard);
    }

    @Test
    void stopsAtOnceWhileItLoadsAndFreesWhatComesLater() throws Exception {
        CountDownLatch stopped = new CountDownLatch(1);
        CountDownLatch closed = new CountDownLatch(1);
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> {
            stopped.await();
            return new HookedShard(compute, () -> {}) {
                @Override
                public void close() {
                    closed.countDown();
                }
            };
        });
        prepare(shard);

        shard.tell(TensorShard.Stop.INSTANCE);

        expectEnd(shard);
        stopped.countDown();
        closed.await();
    }

    @Test
    void hearsItsStopBetweenTwoSegments() throws Exception {
        AtomicInteger computed = new AtomicInteger();
        CountDownLatch first = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> new HookedShard(compute, () -> {
            computed.incrementAndGet();
            first.countDown();
            awaitQuietly(go);
        }));
        join(shard);
        shard.tell(new TensorShard.Execute(TestPlans.prefill(1, 5, TestPlans.greedy(40), 0)));
        first.await();

        shard.tell(TensorShard.Stop.INSTANCE);
        go.countDown();

        expectEnd(shard);
        assertThat(computed).hasValueLessThan(compute.segments());
        assertThat(compute.closed()).isTrue();
        assertThat(compute.openSteps()).isZero();
    }

    @Test
    void freesItsShareWhenItsEpochIsSupersededAndStaysUntilItsStageHasHeard() {
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> compute);
        join(shard);

        shard.tell(new TensorShard.Superseded(new Epoch(9, 5)));

        assertThat(stage.expectMessageClass(PipelineStage.RankLost.class))
                .isEqualTo(new PipelineStage.RankLost(
                        ID,
                        LossCause.SUPERSEDED,
                        "stage 0 rank 0 on %s (layers 0 to 5, KV groups 0 to 7) works for epoch %s now"
                                .formatted(SLOT, new Epoch(9, 5))));
        assertThat(compute.closed()).isTrue();
        shard.tell(new TensorShard.Execute(TestPlans.prefill(1, 5, TestPlans.greedy(40), 0)));
        shard.tell(TensorShard.Stop.INSTANCE);
        expectEnd(shard);
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void saysWhatFailedInItsComputationAndEnds() {
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> new HookedShard(compute, () -> {
            throw new IllegalStateException("the device is on fire");
        }));
        join(shard);

        shard.tell(new TensorShard.Execute(TestPlans.prefill(1, 5, TestPlans.greedy(40), 0)));

        assertThat(stage.expectMessageClass(PipelineStage.RankLost.class))
                .isEqualTo(new PipelineStage.RankLost(
                        ID,
                        LossCause.RANK,
                        "stage 0 rank 0 on %s (layers 0 to 5, KV groups 0 to 7): its computation failed: the device is on fire"
                                .formatted(SLOT)));
        expectEnd(shard);
        assertThat(compute.closed()).isTrue();
    }

    @Test
    void saysThatASequenceIsUnknownInsteadOfComputingNonsense() {
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> compute);
        join(shard);

        shard.tell(new TensorShard.Execute(TestPlans.decode(1, 5, 3, 40)));

        assertThat(stage.expectMessageClass(PipelineStage.RankLost.class).reason())
                .endsWith(
                        "step 1 of e3.7 names sequence 5, which this rank does not know (it knows 0); its entry must bring its start");
        expectEnd(shard);
    }

    @Test
    void endsWithItsPipelineStage() {
        ActorRef<PipelineStage.Command> mortal = kit().spawn(Behaviors.receive(PipelineStage.Command.class)
                .onMessageEquals(PipelineStage.Stop.INSTANCE, Behaviors::stopped)
                .onAnyMessage(any -> Behaviors.same())
                .build());
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> compute);
        shard.tell(new TensorShard.Prepare(ID, SLOT, plan, mortal));

        mortal.tell(PipelineStage.Stop.INSTANCE);

        expectEnd(shard);
    }

    @Test
    void refusesToJoinAsSomebodyElse() {
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> compute);
        Peer peer = prepare(shard);
        stage.expectMessage(new PipelineStage.Prepared(peer));
        Peer other = new Peer(ID, "127.0.0.1:9", peer.ref());

        shard.tell(new TensorShard.Join(TestPlans.EPOCH, List.of(other), List.of(), results.getRef(), stage.getRef()));

        assertThat(stage.expectMessageClass(PipelineStage.RankLost.class).reason())
                .contains("told to join as");
        expectEnd(shard);
    }

    @Test
    void confirmsARepeatedJoinAndDropsOneOfAnotherEpoch() {
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> compute);
        Peer peer = prepare(shard);
        stage.expectMessage(new PipelineStage.Prepared(peer));
        TensorShard.Join join =
                new TensorShard.Join(TestPlans.EPOCH, List.of(peer), List.of(), results.getRef(), stage.getRef());
        Epoch earlier = new Epoch(2, 7);

        shard.tell(new TensorShard.Join(earlier, List.of(), List.of(), results.getRef(), stage.getRef()));
        shard.tell(join);
        shard.tell(join);

        stage.expectMessage(new PipelineStage.Joined(ID));
        stage.expectMessage(new PipelineStage.Joined(ID));
        stage.expectNoMessage();
    }

    @Test
    void publishesWhereItIs() {
        ActorRef<TensorShard.Command> shard = spawn((id, of) -> compute);
        join(shard);
        ShardRoster.Resident resident = roster.residents().getFirst();
        assertThat(resident.progress().last().activity()).isEqualTo(ShardProgress.Activity.IDLE);

        shard.tell(new TensorShard.Execute(TestPlans.prefill(1, 5, TestPlans.greedy(40), 0)));
        results.receiveMessage();
        shard.tell(TensorShard.Stop.INSTANCE);

        expectEnd(shard);
        assertThat(resident.id()).isEqualTo(ID);
        assertThat(resident.progress().last().activity()).isEqualTo(ShardProgress.Activity.ENDED);
        assertThat(resident.progress().last().step()).isEqualTo(1);
        assertThat(resident.progress().counts().stepsEnded()).isEqualTo(1);
        assertThat(resident.progress().counts().resultsSent()).isEqualTo(1);
    }
}
