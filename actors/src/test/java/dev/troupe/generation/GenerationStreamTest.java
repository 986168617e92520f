package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.serving.CountingReplica;
import dev.troupe.serving.FakeReplica;
import dev.troupe.serving.FinishReason;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Output;
import dev.troupe.serving.Router;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.SchedulerSettings;
import dev.troupe.serving.SchedulerStats;
import dev.troupe.serving.StepLimits;
import dev.troupe.serving.Submission;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.stream.javadsl.Sink;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Generations, a scheduler and a counting replica together, read as streams. */
class GenerationStreamTest {
    private static final int BLOCKS = 20;
    private static final int BLOCK_SIZE = 4;

    private static final Duration LONG = Duration.ofMinutes(1);

    private final ActorTestKit kit = ActorTestKit.create();
    private final FakeReplica replica = new FakeReplica(kit, 2, 2, BLOCKS, BLOCK_SIZE);
    private final ActorRef<Scheduler.Command> scheduler = kit.spawn(Scheduler.create(
            new SchedulerSettings(
                    "counting",
                    0,
                    2,
                    2,
                    new StepLimits(24, 8, 8, 8, 2, 8),
                    BLOCKS * BLOCK_SIZE,
                    1000,
                    1 << 20,
                    new SchedulerSettings.Waits(LONG, LONG, LONG, LONG, LONG, LONG)),
            replica.placement(),
            System::nanoTime));
    private int names;

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    private ActorRef<Generation.Command> start(GenerationRequest request) {
        GenerationId id = new GenerationId("g" + ++names, "test");
        ActorRef<Generation.Command> generation = kit.spawn(Generation.create(
                id, Router.single("counting", scheduler), MemoryTokenLog::open, Generation.Settings.standard()));
        generation.tell(new Generation.Start(
                request, kit.<Generation.Started>createTestProbe().getRef()));
        return generation;
    }

    private static GenerationRequest.Builder request(int promptLength) {
        return GenerationRequest.of(
                "counting", Ints.of(IntStream.range(0, promptLength).toArray()));
    }

    private CompletionStage<List<LogEntry>> read(ActorRef<Generation.Command> generation) {
        return GenerationStream.of(generation, 0).runWith(Sink.seq(), kit.system());
    }

    private static List<LogEntry> await(CompletionStage<List<LogEntry>> entries) throws Exception {
        return entries.toCompletableFuture().get(60, TimeUnit.SECONDS);
    }

    private static List<Integer> tokens(List<LogEntry> entries, int choice) {
        List<Integer> tokens = new ArrayList<>();
        for (LogEntry entry : entries) {
            if (entry.choice() == choice
                    && entry instanceof LogEntry.Computed computed
                    && computed.output() instanceof Output.Token token) {
                tokens.add(token.token());
            }
        }
        return tokens;
    }

    private static List<Integer> expected(GenerationRequest request, int choice) {
        Submission submission = new Submission(
                new GenerationId("x", "y"),
                "",
                request.prompt(),
                List.of(new Submission.Choice(choice, Ints.of())),
                request.sampling(),
                request.finish(),
                request.returns());
        return CountingReplica.completion(submission, choice);
    }

    private SchedulerStats stats() {
        TestProbe<SchedulerStats> probe = kit.createTestProbe();
        scheduler.tell(new Scheduler.GetStats(probe.getRef()));
        return probe.receiveMessage(Duration.ofSeconds(20));
    }

    private static void await(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("waited too long for " + what).isLessThan(end);
            Thread.onSpinWait();
        }
    }

    @Test
    void streamsEveryTokenOfEveryChoice() throws Exception {
        GenerationRequest request = request(9).n(3).maxTokens(12).build();

        List<LogEntry> entries = await(read(start(request)));

        for (int choice = 0; choice < 3; choice++) {
            assertThat(tokens(entries, choice)).isEqualTo(expected(request, choice));
            assertThat(entries).contains(new LogEntry.Finished(choice, 12, FinishReason.LENGTH));
        }
    }

    @Test
    void freesTheBlocksWithTheNextStepWhenTheStreamIsCancelled() throws Exception {
        replica.hold();
        ActorRef<Generation.Command> generation = start(request(9).maxTokens(60).build());
        CompletionStage<List<LogEntry>> three =
                GenerationStream.of(generation, 0).take(3).runWith(Sink.seq(), kit.system());
        // Two chunks of the prompt, then one step a token; after the third token a step is in flight again.
        for (int step = 1; step <= 4; step++) {
            await("a step in flight", () -> replica.stepsHeld() > 0);
            replica.releaseOne();
        }
        assertThat(await(three)).hasSize(3);
        await("the cancellation", () -> stats().generations() == 0);

        assertThat(stats().freeBlocks()).isLessThan(BLOCKS);
        replica.release();

        await("free blocks", () -> stats().freeBlocks() == BLOCKS);
        assertThat(replica.batches()).hasSize(5);
    }

    @Test
    void goesOnWithTheSameTokensWhenTheReplicaIsLost() throws Exception {
        GenerationRequest request = request(9).maxTokens(6).build();
        replica.hold();
        CompletionStage<List<LogEntry>> entries = read(start(request));
        await("a step", () -> replica.stepsHeld() > 0);
        replica.releaseOne();
        await("the second step", () -> stats().steps() >= 1);

        replica.lose(1, 0, "node 127.0.0.2 was lost; it hosted stage 1 rank 0");
        replica.release();

        assertThat(tokens(await(entries), 0)).isEqualTo(expected(request, 0));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void endsAHundredRandomStreamsWithTheRightTokensAndReturnsAllBlocks(long seed) throws Exception {
        Random random = new Random(seed);
        List<GenerationRequest> requests = new ArrayList<>();
        List<CompletionStage<List<LogEntry>>> streams = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            GenerationRequest request = random(random);
            ActorRef<Generation.Command> generation = start(request);
            if (random.nextInt(5) == 0) {
                GenerationStream.of(generation, 0).take(random.nextInt(4)).runWith(Sink.ignore(), kit.system());
            } else {
                requests.add(request);
                streams.add(read(generation));
            }
        }

        for (int i = 0; i < streams.size(); i++) {
            List<LogEntry> entries = await(streams.get(i));
            for (int choice = 0; choice < requests.get(i).n(); choice++) {
                assertThat(tokens(entries, choice)).isEqualTo(expected(requests.get(i), choice));
            }
        }
        await("an idle scheduler", () -> stats().generations() == 0 && stats().freeBlocks() == BLOCKS);
        assertThat(stats().preemptions()).isPositive();
    }

    private static GenerationRequest random(Random random) {
        int prompt = 1 + random.nextInt(30);
        return GenerationRequest.of(
                        "counting",
                        Ints.of(random.ints(prompt, 0, CountingReplica.VOCABULARY)
                                .toArray()))
                .n(1 + random.nextInt(3))
                .maxTokens(1 + random.nextInt(40))
                .stopTokens(Ints.of(random.nextInt(300)))
                .build();
    }
}
