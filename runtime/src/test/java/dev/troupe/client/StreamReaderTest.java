package dev.troupe.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.FishingOutcomes;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.stream.OverflowStrategy;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.stream.javadsl.SourceQueueWithComplete;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class StreamReaderTest {
    private static final TextRequest REQUEST = TextRequest.greedy("Once", 9);
    private static final TextEvent.Usage USAGE = new TextEvent.Usage(1, 2, 0);
    private static final TextEvent STARTED = new TextEvent.Started("g@a", Ints.of(1));

    private final ActorTestKit kit = ActorTestKit.create(ManualTime.config()
            .withFallback(ConfigFactory.parseString("pekko.actor.testkit.typed.single-expect-default = 30s")));
    private final ManualTime time = ManualTime.get(kit.system());
    private final AtomicLong now = new AtomicLong();
    private final TestProbe<FrontEnd.Command> first = kit.createTestProbe();
    private final TestProbe<FrontEnd.Command> second = kit.createTestProbe();
    private final TestProbe<TextStream.Command> firstStream = kit.createTestProbe();
    private final TestProbe<TextStream.Command> secondStream = kit.createTestProbe();
    private final FrontEnds frontEnds = FrontEnds.parse("a:1, b:1");
    private final AtomicBoolean leaves = new AtomicBoolean();
    private final AtomicReference<SourceQueueWithComplete<TextEvent>> queue = new AtomicReference<>();
    private final CompletableFuture<List<TextEvent>> events = start();

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    private CompletableFuture<List<TextEvent>> start() {
        Pair<SourceQueueWithComplete<TextEvent>, CompletionStage<List<TextEvent>>> running = Source.<TextEvent>queue(
                        StreamReader.CREDIT, OverflowStrategy.backpressure())
                .toMat(Sink.seq(), Keep.both())
                .run(kit.system());
        queue.set(running.first());
        kit.spawn(StreamReader.create(new StreamReader.Setup(
                REQUEST,
                "",
                running.first(),
                frontEnds,
                address -> address.equals("a:1") ? first.getRef() : second.getRef(),
                leaves::get,
                Duration.ofSeconds(20),
                now::get)));
        return running.second().toCompletableFuture();
    }

    private CompletableFuture<List<TextEvent>> startSlow() {
        Pair<SourceQueueWithComplete<TextEvent>, CompletionStage<List<TextEvent>>> running = Source.<TextEvent>queue(
                        StreamReader.CREDIT, OverflowStrategy.backpressure())
                .mapAsync(
                        1,
                        event -> CompletableFuture.supplyAsync(
                                () -> event, CompletableFuture.delayedExecutor(5, TimeUnit.MILLISECONDS)))
                .toMat(Sink.seq(), Keep.both())
                .run(kit.system());
        kit.spawn(StreamReader.create(new StreamReader.Setup(
                REQUEST,
                "",
                running.first(),
                frontEnds,
                address -> address.equals("a:1") ? first.getRef() : second.getRef(),
                leaves::get,
                Duration.ofSeconds(20),
                now::get)));
        return running.second().toCompletableFuture();
    }

    private void passes(Duration duration) {
        now.addAndGet(duration.toNanos());
        time.timePasses(Silence.PING_EVERY);
    }

    private static TextEvent token(int position) {
        return new TextEvent.Token(0, position, 5, "x", 0, Float.NaN, List.of(), "");
    }

    /** The first front end has told two events. */
    private ActorRef<StreamReader.Answer> opened() {
        ActorRef<StreamReader.Answer> client =
                first.expectMessageClass(FrontEnd.Open.class).client();
        client.tell(new StreamReader.Opened(firstStream.getRef()));
        firstStream.expectMessage(new TextStream.Demand(StreamReader.CREDIT));
        client.tell(new StreamReader.Event(0, STARTED));
        firstStream.expectMessage(new TextStream.Demand(StreamReader.CREDIT + 1));
        client.tell(new StreamReader.Event(1, token(1)));
        firstStream.expectMessage(new TextStream.Demand(StreamReader.CREDIT + 2));
        return client;
    }

    private FrontEnd.Resume resumed() {
        FrontEnd.Resume resume = second.expectMessageClass(FrontEnd.Resume.class);
        assertThat(resume.id()).isEqualTo("g@a");
        assertThat(resume.seen()).isEqualTo(Ints.of(1));
        assertThat(resume.request()).isEqualTo(REQUEST);
        resume.client().tell(new StreamReader.Opened(secondStream.getRef()));
        secondStream.expectMessage(new TextStream.Demand(StreamReader.CREDIT + 2));
        return resume;
    }

    private void endsWithAllEvents(ActorRef<StreamReader.Answer> client) throws Exception {
        client.tell(new StreamReader.Event(2, token(2)));
        client.tell(new StreamReader.Completed(3, USAGE));
        assertThat(events.get(30, TimeUnit.SECONDS)).containsExactly(STARTED, token(1), token(2), USAGE);
    }

    @Test
    void resumesAtAnotherFrontEndWhenItsOwnIsSilent() throws Exception {
        ActorRef<StreamReader.Answer> before = opened();

        passes(Duration.ofMillis(1501));

        FrontEnd.Resume resume = resumed();
        // What the first one says late is nobody's business.
        before.tell(new StreamReader.Event(2, token(99)));
        before.tell(new StreamReader.Failed(new GenerationFailure(GenerationFailure.Kind.LOST, "late")));
        endsWithAllEvents(resume.client());
        secondStream.fishForMessage(
                Duration.ofSeconds(30),
                message -> message instanceof TextStream.Cancel
                        ? FishingOutcomes.complete()
                        : FishingOutcomes.continueAndIgnore());
    }

    @Test
    void staysWithAFrontEndThatAnswers() {
        ActorRef<StreamReader.Answer> client = opened();
        for (int i = 0; i < 5; i++) {
            passes(Duration.ofMillis(1400));
            firstStream.expectMessage(new TextStream.Ping());
            client.tell(new StreamReader.Pong(2, List.of("a:1", "b:1")));
            client.tell(new StreamReader.Event(0, STARTED));
        }

        second.expectNoMessage(Duration.ZERO);
    }

    private void tellsAll(ActorRef<StreamReader.Answer> client) {
        client.tell(new StreamReader.Opened(firstStream.getRef()));
        client.tell(new StreamReader.Event(0, STARTED));
        for (int event = 1; event <= StreamReader.CREDIT; event++) {
            client.tell(new StreamReader.Event(event, token(event)));
        }
        client.tell(new StreamReader.Completed(StreamReader.CREDIT + 1, USAGE));
    }

    @Test
    void tellsTheUsageAfterAllEventsAlsoToAClientThatTakesItsTime() throws Exception {
        CompletableFuture<List<TextEvent>> slow = startSlow();
        for (int reader = 0; reader < 2; reader++) { // whose request comes first is not known
            tellsAll(first.expectMessageClass(FrontEnd.Open.class).client());
        }

        assertThat(slow.get(30, TimeUnit.SECONDS))
                .hasSize(StreamReader.CREDIT + 2)
                .endsWith(token(StreamReader.CREDIT), USAGE);
    }

    @Test
    void resumesWhenAnEventIsMissing() throws Exception {
        opened().tell(new StreamReader.Event(3, token(3)));

        endsWithAllEvents(resumed().client());
    }

    @Test
    void resumesWhenTheLastEventIsMissing() throws Exception {
        opened().tell(new StreamReader.Completed(3, USAGE));

        endsWithAllEvents(resumed().client());
    }

    @Test
    void resumesWhenAPongTellsOfMoreEventsThanHaveCome() throws Exception {
        opened().tell(new StreamReader.Pong(3, List.of()));

        endsWithAllEvents(resumed().client());
    }

    @Test
    void triesTheNextOneWhenAGenerationIsGoneThereAndFailsWhenAllSaySo() {
        ActorRef<StreamReader.Answer> client = opened();
        GenerationFailure gone = new GenerationFailure(GenerationFailure.Kind.GONE, "not here");
        for (int i = 0; i < 4; i++) {
            client.tell(new StreamReader.Failed(gone));
            // Until the reader rests, time must not pass.
            kit.createTestProbe().expectNoMessage(Duration.ofMillis(50));
            time.timePasses(Silence.REST);
            client = (i % 2 == 0 ? second : first)
                    .expectMessageClass(FrontEnd.Resume.class)
                    .client();
        }

        client.tell(new StreamReader.Failed(gone));

        assertThatThrownBy(() -> events.get(30, TimeUnit.SECONDS)).hasRootCauseMessage("not here");
    }

    @Test
    void opensElsewhereWhenNobodyAnswersAndEndsWhatIsOpenedLate() {
        ActorRef<StreamReader.Answer> late =
                first.expectMessageClass(FrontEnd.Open.class).client();

        passes(Duration.ofMillis(3001));

        second.expectMessageClass(FrontEnd.Open.class);
        late.tell(new StreamReader.Opened(firstStream.getRef()));
        firstStream.expectMessage(new TextStream.Cancel());
    }

    @Test
    void opensElsewhereWhenItsFrontEndLeavesBeforeAnythingHasBegun() {
        ActorRef<StreamReader.Answer> client =
                first.expectMessageClass(FrontEnd.Open.class).client();

        client.tell(new StreamReader.Failed(
                new GenerationFailure(GenerationFailure.Kind.SUPERSEDED, "its node leaves the cluster")));
        // Until the reader rests, time must not pass.
        kit.createTestProbe().expectNoMessage(Duration.ofMillis(50));
        time.timePasses(Silence.REST);

        second.expectMessageClass(FrontEnd.Open.class);
    }

    @Test
    void failsWhenNoFrontEndAnswersAtAll() {
        opened();
        for (int i = 0; i < 12; i++) {
            passes(Duration.ofSeconds(2));
        }

        assertThatThrownBy(() -> events.get(30, TimeUnit.SECONDS))
                .hasRootCauseMessage(
                        "none of the front ends a:1,b:1 has answered for 20 s; they may be lost. Connect to another and send the request again");
    }

    @Test
    void learnsWhichFrontEndsThereAre() {
        opened().tell(new StreamReader.Pong(2, List.of("c:1")));
        firstStream.expectNoMessage(Duration.ofMillis(50));

        assertThat(frontEnds).hasToString("a:1,b:1,c:1");
    }

    @Test
    void endsTheGenerationThatItsClientDoesNotWantAnyMore() {
        opened();

        queue.get().complete();

        firstStream.expectMessage(new TextStream.Cancel());
    }

    @Test
    void leavesTheGenerationToWhoeverComesBackToIt() {
        opened();
        leaves.set(true);

        queue.get().complete();

        firstStream.expectMessage(new TextStream.Leave());
    }
}
