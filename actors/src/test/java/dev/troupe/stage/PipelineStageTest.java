package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PipelineStageTest {
    private static final Epoch EPOCH = TestPlans.EPOCH;
    private static final String SLOT = "127.0.0.1:2551#9c/cpu0";

    @Nullable
    private static ActorTestKit kit;

    private final ReplicaPlan plan = TestPlans.plan(TestPlans.partition(CountingModel.small(), 1, 2), SLOT);
    private final List<TestProbe<TensorShard.Command>> ranks = List.of(rank(), rank());
    private final TestProbe<StageEvent> scheduler = kit().createTestProbe(StageEvent.class);
    private final TestProbe<StepResult> results = kit().createTestProbe(StepResult.class);
    private final ActorRef<PipelineStage.Command> stage =
            kit().spawn(PipelineStage.create((id, of) -> ranks.get(id.rank()).getRef(), Duration.ofSeconds(10)));
    private final List<Peer> peers = List.of(peer(0), peer(1));

    @BeforeAll
    static void start() {
        kit = ActorTestKit.create(ManualTime.config());
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

    private static TestProbe<TensorShard.Command> rank() {
        return kit().createTestProbe(TensorShard.Command.class);
    }

    private Peer peer(int rank) {
        return new Peer(new ShardId(EPOCH, 1, rank), "", ranks.get(rank).getRef());
    }

    @BeforeEach
    void form() {
        stage.tell(new PipelineStage.Form(EPOCH, 1, plan, scheduler.getRef()));
        for (int rank = 0; rank < 2; rank++) {
            ranks.get(rank).expectMessage(new TensorShard.Prepare(new ShardId(EPOCH, 1, rank), SLOT, plan, stage));
        }
    }

    private void load() {
        peers.forEach(peer -> stage.tell(new PipelineStage.Preparing(peer)));
        peers.forEach(peer -> stage.tell(new PipelineStage.Prepared(peer)));
        scheduler.expectMessage(new StageEvent.Formed(EPOCH, 1, peers, stage));
    }

    private TensorShard.Join connect() {
        stage.tell(new PipelineStage.Connect(EPOCH, List.of(), results.getRef()));
        TensorShard.Join join = new TensorShard.Join(EPOCH, peers, List.of(), results.getRef(), stage);
        ranks.forEach(rank -> rank.expectMessage(join));
        return join;
    }

    /** Before it ranks may be told again what they have not answered. */
    private static void expectStop(TestProbe<TensorShard.Command> rank) {
        TensorShard.Command command = rank.receiveMessage();
        while (!command.equals(TensorShard.Stop.INSTANCE)) {
            command = rank.receiveMessage();
        }
    }

    private void expectLost(int rank, String reason) {
        StageEvent.Lost lost = scheduler.expectMessageClass(StageEvent.Lost.class);
        assertThat(lost).isEqualTo(new StageEvent.Lost(EPOCH, 1, rank, LossCause.RANK, reason));
    }

    @Test
    void isReadyWhenAllRanksHaveLoadedAndJoined() {
        load();
        connect();
        stage.tell(new PipelineStage.Joined(peers.get(1).id()));
        stage.tell(new PipelineStage.Joined(peers.get(1).id()));
        scheduler.expectNoMessage();

        stage.tell(new PipelineStage.Joined(peers.get(0).id()));

        scheduler.expectMessage(new StageEvent.Ready(EPOCH, 1));
    }

    @Test
    void formsWhenARankIsReadyBeforeItIsHeardOf() {
        stage.tell(new PipelineStage.Prepared(peers.get(1)));
        stage.tell(new PipelineStage.Prepared(peers.get(0)));

        scheduler.expectMessage(new StageEvent.Formed(EPOCH, 1, peers, stage));
    }

    @Test
    void namesTheRankThatDoesNotAnswer() {
        stage.tell(new PipelineStage.Preparing(peers.get(0)));
        scheduler.expectNoMessage();

        time().timePasses(Duration.ofSeconds(10));

        expectLost(
                1,
                "no answer within PT10S from stage 1 rank 1 on 127.0.0.1:2551#9c/cpu0 (layers 3 to 5, KV groups 4 to 7)");
        ranks.forEach(PipelineStageTest::expectStop);
    }

    @Test
    void tellsARankAgainWhatItHasNotAnswered() {
        TensorShard.Prepare first = new TensorShard.Prepare(peers.get(0).id(), SLOT, plan, stage);
        TensorShard.Prepare second = new TensorShard.Prepare(peers.get(1).id(), SLOT, plan, stage);
        stage.tell(new PipelineStage.Preparing(peers.get(0)));
        scheduler.expectNoMessage();
        time().timePasses(Duration.ofMillis(500));
        ranks.get(0).expectMessage(first);
        ranks.get(1).expectMessage(second);
        stage.tell(new PipelineStage.Prepared(peers.get(0)));
        scheduler.expectNoMessage();
        time().timePasses(Duration.ofMillis(500));
        ranks.get(1).expectMessage(second);
        stage.tell(new PipelineStage.Prepared(peers.get(1)));
        scheduler.expectMessageClass(StageEvent.Formed.class);
        TensorShard.Join join = connect();
        stage.tell(new PipelineStage.Joined(peers.get(1).id()));
        scheduler.expectNoMessage();
        time().timePasses(Duration.ofMillis(500));
        ranks.get(0).expectMessage(join);
        stage.tell(new PipelineStage.Joined(peers.get(0).id()));
        scheduler.expectMessageClass(StageEvent.Ready.class);

        time().timePasses(Duration.ofHours(1));

        ranks.forEach(TestProbe::expectNoMessage);
    }

    @Test
    void hasAllTheTimeInTheWorldForRanksThatLoad() {
        peers.forEach(peer -> stage.tell(new PipelineStage.Preparing(peer)));
        scheduler.expectNoMessage();

        time().expectNoMessageFor(Duration.ofHours(1), scheduler);

        peers.forEach(peer -> stage.tell(new PipelineStage.Prepared(peer)));
        scheduler.expectMessageClass(StageEvent.Formed.class);
    }

    @Test
    void namesTheRankThatDoesNotJoin() {
        load();
        connect();
        stage.tell(new PipelineStage.Joined(peers.get(1).id()));
        scheduler.expectNoMessage();

        time().timePasses(Duration.ofSeconds(10));

        expectLost(
                0,
                "no answer within PT10S from stage 1 rank 0 on 127.0.0.1:2551#9c/cpu0 (layers 3 to 5, KV groups 0 to 3)");
    }

    @Test
    void passesOnWhyARankCannotLoad() {
        stage.tell(new PipelineStage.NotPrepared(peers.get(1).id(), "the file is cut"));

        expectLost(
                1,
                "stage 1 rank 1 on 127.0.0.1:2551#9c/cpu0 (layers 3 to 5, KV groups 4 to 7) cannot load its share: the file is cut");
        ranks.forEach(PipelineStageTest::expectStop);
    }

    @Test
    void endsTheOtherRanksWhenOneIsLostAndSaysSoOnce() {
        load();
        connect();

        stage.tell(new PipelineStage.RankLost(
                peers.get(0).id(), LossCause.RANK, "node a was removed; it hosted stage 1 rank 0"));
        stage.tell(new PipelineStage.RankLost(
                peers.get(1).id(), LossCause.RANK, "node b was removed; it hosted stage 1 rank 1"));

        expectLost(0, "node a was removed; it hosted stage 1 rank 0");
        ranks.forEach(PipelineStageTest::expectStop);
        scheduler.expectNoMessage();
    }

    @Test
    void noticesARankThatHasStopped() {
        load();

        ranks.get(1).stop();

        expectLost(
                1,
                "stage 1 rank 1 on 127.0.0.1:2551#9c/cpu0 (layers 3 to 5, KV groups 4 to 7) has stopped, or its node is gone");
        ranks.get(0).expectMessage(TensorShard.Stop.INSTANCE);
    }

    @Test
    void ignoresWhatIsNotItsOwn() {
        Epoch other = new Epoch(2, 7);
        load();

        stage.tell(new PipelineStage.RankLost(new ShardId(other, 1, 0), LossCause.RANK, "old news"));
        stage.tell(new PipelineStage.RankLost(new ShardId(EPOCH, 0, 0), LossCause.RANK, "another stage's"));
        stage.tell(new PipelineStage.Connect(other, List.of(), results.getRef()));

        scheduler.expectNoMessage();
        ranks.forEach(rank -> rank.expectNoMessage());
    }

    @Test
    void endsItsRanksWhenItIsStopped() {
        load();

        stage.tell(PipelineStage.Stop.INSTANCE);

        ranks.forEach(PipelineStageTest::expectStop);
        scheduler.expectTerminated(stage);
    }

    @Test
    void endsWithItsScheduler() {
        ActorRef<StageEvent> mortal = kit().spawn(Behaviors.receiveMessage(event -> Behaviors.stopped()));
        ActorRef<PipelineStage.Command> other = kit().spawn(
                        PipelineStage.create((id, of) -> ranks.get(id.rank()).getRef()));
        other.tell(new PipelineStage.Form(EPOCH, 1, plan, mortal));
        ranks.forEach(rank -> rank.expectMessageClass(TensorShard.Prepare.class));

        mortal.tell(new StageEvent.Ready(EPOCH, 1));

        ranks.forEach(PipelineStageTest::expectStop);
        scheduler.expectTerminated(other);
    }

    @Test
    void isNotBroughtBackToLifeByOldNews() {
        ActorRef<PipelineStage.Command> late = kit().spawn(
                        PipelineStage.create((id, of) -> ranks.get(id.rank()).getRef()));

        late.tell(new PipelineStage.Joined(new ShardId(EPOCH, 1, 0)));

        scheduler.expectTerminated(late);
    }

    @Test
    void waitsAWhileForItsFormWhenARankIsLostBefore() {
        ActorRef<PipelineStage.Command> early = kit().spawn(
                        PipelineStage.create((id, of) -> ranks.get(id.rank()).getRef()));
        ActorRef<PipelineStage.Command> late = kit().spawn(
                        PipelineStage.create((id, of) -> ranks.get(id.rank()).getRef()));
        PipelineStage.RankLost lost =
                new PipelineStage.RankLost(new ShardId(EPOCH, 1, 0), LossCause.CONNECTION, "a lane was lost");

        early.tell(lost);
        early.tell(new PipelineStage.Form(EPOCH, 1, plan, scheduler.getRef()));
        late.tell(lost);
        scheduler.expectMessage(new StageEvent.Lost(EPOCH, 1, 0, LossCause.CONNECTION, "a lane was lost"));
        time().timePasses(Duration.ofMinutes(1));

        scheduler.expectTerminated(late);
    }

    private static ManualTime time() {
        return ManualTime.get(kit().system());
    }
}
