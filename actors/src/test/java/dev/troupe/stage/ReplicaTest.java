package dev.troupe.stage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.model.Partition;
import dev.troupe.sampling.TokenDraw;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Stages and shards as actors on real threads, formed, joined, run and lost. */
class ReplicaTest {
    private static final String SLOT = "127.0.0.1:2551#9c/cpu0";
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    @Nullable
    private static ActorTestKit kit;

    private final CountingModel model = CountingModel.small();
    private final TestProbe<StageEvent> events = kit().createTestProbe(StageEvent.class);
    private final TestProbe<StepResult> results = kit().createTestProbe(StepResult.class);
    private final Map<ShardId, ActorRef<TensorShard.Command>> shards = new HashMap<>();
    private final List<CountingShard> computes = new ArrayList<>();
    private final AtomicLong messages = new AtomicLong();

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

    /** Spawns, forms and connects everything. */
    private List<ActorRef<PipelineStage.Command>> form(Partition partition) {
        ReplicaPlan plan = TestPlans.plan(partition, SLOT);
        for (int stage = 0; stage < partition.stages().size(); stage++) {
            for (int rank = 0; rank < partition.stages().get(stage).ranks().size(); rank++) {
                CountingShard compute =
                        new CountingShard(model, partition, stage, rank, TestPlans.BLOCKS, TestPlans.BLOCK_SIZE);
                computes.add(compute);
                ShardHost host = new ShardHost(
                        SLOT,
                        "",
                        (id, of) -> compute,
                        (peer, message) -> {
                            messages.incrementAndGet();
                            peer.ref().tell(message);
                        },
                        LaneRegistry.NONE,
                        new ShardRoster());
                shards.put(
                        new ShardId(TestPlans.EPOCH, stage, rank),
                        kit().spawn(TensorShard.create(host), TensorShard.props()));
            }
        }
        List<ActorRef<PipelineStage.Command>> stages = new ArrayList<>();
        for (int stage = 0; stage < partition.stages().size(); stage++) {
            ActorRef<PipelineStage.Command> ref = kit().spawn(PipelineStage.create((id, of) -> shard(id)));
            ref.tell(new PipelineStage.Form(TestPlans.EPOCH, stage, plan, events.getRef()));
            stages.add(ref);
        }
        connect(stages);
        return stages;
    }

    private void connect(List<ActorRef<PipelineStage.Command>> stages) {
        Map<Integer, List<Peer>> ranks = new HashMap<>();
        for (int i = 0; i < stages.size(); i++) {
            StageEvent.Formed formed = (StageEvent.Formed) events.receiveMessage(PATIENCE);
            ranks.put(formed.stage(), formed.ranks());
        }
        for (int stage = 0; stage < stages.size(); stage++) {
            stages.get(stage)
                    .tell(new PipelineStage.Connect(
                            TestPlans.EPOCH, ranks.getOrDefault(stage + 1, List.of()), results.getRef()));
        }
        for (int i = 0; i < stages.size(); i++) {
            assertThat(events.receiveMessage(PATIENCE)).isInstanceOf(StageEvent.Ready.class);
        }
    }

    private ActorRef<TensorShard.Command> shard(ShardId id) {
        ActorRef<TensorShard.Command> ref = shards.get(id);
        if (ref == null) {
            throw new IllegalStateException("no shard " + id);
        }
        return ref;
    }

    private void execute(StepBatch batch, Partition partition) {
        for (int rank = 0; rank < partition.stages().getFirst().ranks().size(); rank++) {
            shard(new ShardId(TestPlans.EPOCH, 0, rank)).tell(new TensorShard.Execute(batch));
        }
    }

    /** Stages and ranks as digits: 23 is two stages, of two and of three ranks. */
    @ParameterizedTest
    @ValueSource(strings = {"1", "4", "11", "22", "23", "421", "133"})
    void givesTheTokensOfTheUndisturbedRunWithManySequencesInFlight(String cut) {
        Partition partition =
                TestPlans.partition(model, cut.chars().map(digit -> digit - '0').toArray());
        form(partition);
        int sequences = 6;
        int length = 4;
        Map<Long, Integer> lengths = new HashMap<>();
        Map<Long, List<Integer>> drawn = new HashMap<>();
        for (int s = 1; s <= sequences; s++) {
            SequenceStart start = prompt(s);
            lengths.put((long) s, start.tokens().size());
            drawn.put((long) s, new ArrayList<>());
            execute(TestPlans.prefill(s, s, start, 2 * (s - 1)), partition);
        }

        for (long step = sequences + 1L; step <= (long) sequences * length; step++) {
            StepResult.Token token = take(drawn);
            int position = lengths.merge(token.sequence(), 1, Integer::sum) - 1;
            execute(TestPlans.decode(step, token.sequence(), position, token.token()), partition);
        }
        IntStream.range(0, sequences).forEach(i -> take(drawn));

        CountingOracle oracle = new CountingOracle(model);
        drawn.forEach((sequence, tokens) -> assertThat(tokens)
                .as("sequence %d", sequence)
                .isEqualTo(oracle.complete(prompt(Math.toIntExact(sequence)), length).stream()
                        .map(TokenDraw.Token::token)
                        .toList()));
    }

    private static SequenceStart prompt(int sequence) {
        return TestPlans.greedy(40 + sequence, 50, 60 + 2 * sequence, 70, 80);
    }

    private StepResult.Token take(Map<Long, List<Integer>> drawn) {
        StepResult result = results.receiveMessage(PATIENCE);
        StepResult.Token token = (StepResult.Token) result.answers().getFirst();
        drawn.getOrDefault(token.sequence(), new ArrayList<>()).add(token.token());
        return token;
    }

    @Test
    void putsAsManyTensorMessagesOnTheRoadAsTheDesignSays() {
        Partition partition = TestPlans.partition(model, 2, 2);
        form(partition);
        execute(TestPlans.prefill(1, 1, prompt(1), 0), partition);
        results.receiveMessage(PATIENCE);
        long before = messages.get();

        execute(TestPlans.decode(2, 1, 5, 70), partition);
        results.receiveMessage(PATIENCE);

        int layers = model.layers();
        assertThat(messages.get() - before).isEqualTo(2L * layers * 2 * (2 - 1) + (2 - 1) * 2 + (2 - 1));
    }

    @Test
    void losesTheWholeStageWithOneRankAndFreesEverything() {
        Partition partition = TestPlans.partition(model, 2, 2);
        List<ActorRef<PipelineStage.Command>> stages = form(partition);
        SequenceStart known = prompt(1);
        StepEntry bad = new StepEntry(1, known, 0, known.tokens(), Ints.of(TestPlans.BLOCKS), List.of());

        execute(new StepBatch(TestPlans.EPOCH, 1, List.of(bad), List.of(), 0), partition);

        StageEvent.Lost lost = (StageEvent.Lost) events.receiveMessage(PATIENCE);
        assertThat(lost.stage()).isZero();
        assertThat(lost.reason())
                .isEqualTo(
                        "stage 0 rank %d on %s (layers 0 to 2, KV groups %d to %d): its computation failed: step 1 of e3.7 gives sequence 1 the KV block 16; this rank has 0 to 15",
                        lost.rank(), SLOT, 4 * lost.rank(), 4 * lost.rank() + 3);
        events.expectTerminated(shard(new ShardId(TestPlans.EPOCH, 0, 0)), PATIENCE);
        events.expectTerminated(shard(new ShardId(TestPlans.EPOCH, 0, 1)), PATIENCE);

        stages.forEach(stage -> stage.tell(PipelineStage.Stop.INSTANCE));

        shards.values().forEach(shard -> events.expectTerminated(shard, PATIENCE));
        assertThat(computes).allMatch(CountingShard::closed);
        events.expectNoMessage();
    }
}
