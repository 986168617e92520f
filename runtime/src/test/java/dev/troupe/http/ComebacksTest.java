package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.troupe.client.FrontEnd;
import dev.troupe.client.Troupe;
import dev.troupe.config.HttpConfig;
import dev.troupe.generation.Cancellation;
import dev.troupe.generation.GenerationRequest;
import dev.troupe.generation.LogKeeper;
import dev.troupe.generation.Ticket;
import dev.troupe.serving.GenerationId;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ComebacksTest {
    private static final int MINUTES = 2;
    private static final Duration SOME_TIME = Duration.ofMillis(50);
    private static final String TENANT = "team-a";
    private static final Ticket TICKET = new Ticket("t", TENANT, """
            {"route": "completions", "created": 1, "request":
             {"model": "m", "prompt": [0], "max_tokens": 5, "seed": 1, "stream": true, "resumable": true}}""");

    private final ActorTestKit kit =
            ActorTestKit.create(ConfigFactory.parseString("pekko.actor.testkit.typed.single-expect-default = 30s"));
    private final TestProbe<FrontEnd.Command> frontEnd = kit.createTestProbe();
    private final FairQueue queue = new FairQueue(1, 1, 1, Map.of());
    private final HttpMetrics metrics = new HttpMetrics(queue);
    private final Running running = new Running(new HttpConfig.Recordings(1, 1, 1024));
    private final Preparation preparation = new Preparation(new HttpConfig.Preparing(1, 0, 0, 1 << 20, 1 << 20));
    private final CountDownLatch go = new CountDownLatch(1);
    private final Comebacks comebacks = comebacks();

    @AfterEach
    void shutDown() {
        go.countDown();
        preparation.close();
        metrics.close();
        kit.shutdownTestKit();
    }

    private Comebacks comebacks() {
        Troupe troupe = new Troupe(kit.system(), frontEnd.getRef(), "here", () -> {});
        HttpServer.Backend backend = new HttpServer.Backend(
                troupe,
                new ServedModel("m", null, null, 512, 512, 128, 0),
                () -> CompletableFuture.failedFuture(new IllegalStateException("none")));
        return new Comebacks(
                backend, Duration.ofMinutes(1), new Generations(troupe, queue, metrics, running), running, preparation);
    }

    /** Somebody's request is being read. */
    private CompletableFuture<Boolean> readingAnother() {
        return preparation
                .room("team-b", 1)
                .read(() -> {
                    try {
                        go.await();
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                    return CompletableFuture.completedFuture(true);
                })
                .toCompletableFuture();
    }

    /** Another node holds the log. */
    private void found(boolean finished) {
        FrontEnd.Find asked = frontEnd.expectMessageClass(FrontEnd.Find.class);
        assertThat(asked.ticket()).isEqualTo("t");
        assertThat(asked.tenant()).isEqualTo(TENANT);
        GenerationRequest request =
                GenerationRequest.of("m", Ints.of(1, 2)).ticket(TICKET).build();
        asked.replyTo()
                .tell(new FrontEnd.Found(
                        Optional.of(new LogKeeper.Held(new GenerationId("g", "a"), request, finished))));
    }

    private static <T> T get(CompletionStage<T> stage) throws Exception {
        return stage.toCompletableFuture().get(MINUTES, TimeUnit.MINUTES);
    }

    @Test
    void readsWhatWasAskedForElsewhereWhereRequestsAreRead() throws Exception {
        CompletableFuture<Boolean> another = readingAnother();
        CompletionStage<Optional<Recording>> refused = comebacks.recording(TENANT, "t");
        found(false);

        assertThatThrownBy(() -> get(refused))
                .hasRootCauseInstanceOf(ApiError.class)
                .rootCause()
                .hasMessageContaining("0 requests wait to be read, at most so many do");
        frontEnd.expectNoMessage(SOME_TIME);
        go.countDown();
        get(another);
        Served.await("the thread is free", () -> preparation.busy() == 0);
        CompletionStage<Optional<Recording>> resumed = comebacks.recording(TENANT, "t");
        found(false);

        assertThat(get(resumed)).isPresent();
        FrontEnd.Resume resume = frontEnd.expectMessageClass(FrontEnd.Resume.class);
        assertThat(resume.id()).isEqualTo("g@a");
        assertThat(resume.request().ticket()).isEqualTo(TICKET);
        assertThat(resume.request().maxTokens()).isEqualTo(5);
    }

    @Test
    void cancelsWithoutReading() throws Exception {
        CompletableFuture<Boolean> another = readingAnother();
        CompletionStage<Boolean> cancelled = comebacks.cancel(TENANT, "t");
        found(false);

        frontEnd.expectMessageClass(FrontEnd.Cancel.class)
                .replyTo()
                .tell(new FrontEnd.Cancelled(new Cancellation.Outcome(true, Optional.empty())));

        assertThat(get(cancelled)).isTrue();
        assertThat(another).isNotDone();
    }

    @Test
    void leavesWhatHasEndedAlone() throws Exception {
        CompletionStage<Boolean> cancelled = comebacks.cancel(TENANT, "t");
        found(true);

        assertThat(get(cancelled)).isFalse();
        frontEnd.expectNoMessage(SOME_TIME);
    }

    @Test
    void findsNothingOfWhatNobodyHolds() throws Exception {
        CompletionStage<Optional<Recording>> recording = comebacks.recording(TENANT, "t");
        frontEnd.expectMessageClass(FrontEnd.Find.class).replyTo().tell(new FrontEnd.Found(Optional.empty()));

        assertThat(get(recording)).isEmpty();
    }
}
