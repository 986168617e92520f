package dev.troupe.client;

import dev.troupe.serving.GenerationFailure;
import java.time.Duration;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.stream.QueueOfferResult;
import org.apache.pekko.stream.javadsl.SourceQueueWithComplete;
import org.jspecify.annotations.Nullable;

/**
 * The client's end of one generation: takes events from a {@link TextStream} on the front end, at most as many as were
 * asked for, and puts them into a stream queue. It notices when the front end is gone, and tells it when the client is.
 */
public final class StreamReader {
    /** Events on their way at a time; enough to hide a round trip. */
    static final int CREDIT = 32;

    private static final Duration PING_EVERY = Duration.ofSeconds(2);

    private final ActorContext<Message> context;
    private final SourceQueueWithComplete<TextEvent> queue;
    private final String frontEnd;
    private final Duration patience;
    private @Nullable ActorRef<TextStream.Command> stream;
    private long heardAt = System.nanoTime();

    private StreamReader(
            ActorContext<Message> context,
            SourceQueueWithComplete<TextEvent> queue,
            String frontEnd,
            Duration patience) {
        this.context = context;
        this.queue = queue;
        this.frontEnd = frontEnd;
        this.patience = patience;
    }

    /** What a reader understands. */
    public sealed interface Message {}

    /** The front end took the request; ask {@code stream} for events. */
    public record Opened(ActorRef<TextStream.Command> stream) implements Message {}

    /** The next event. */
    public record Event(TextEvent event) implements Message {}

    /** There are no more events. */
    public record Completed() implements Message {}

    /** The generation has ended without all of its tokens. */
    public record Failed(GenerationFailure failure) implements Message {}

    /** The answer to {@link TextStream.Ping}. */
    public record Pong() implements Message {}

    private record Offered(QueueOfferResult result) implements Message {}

    private record NotOffered(String reason) implements Message {}

    private record Tick() implements Message {}

    private record QueueEnded() implements Message {}

    /**
     * The behaviour of a reader.
     *
     * @param queue where events go; its end ends the generation
     * @param frontEnd who must answer, for people
     * @param patience how long it may be silent
     */
    static Behavior<Message> create(SourceQueueWithComplete<TextEvent> queue, String frontEnd, Duration patience) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            StreamReader reader = new StreamReader(context, queue, frontEnd, patience);
            context.pipeToSelf(queue.watchCompletion(), (Done done, Throwable failure) -> new QueueEnded());
            timers.startTimerWithFixedDelay(new Tick(), PING_EVERY);
            return reader.reading();
        }));
    }

    private Behavior<Message> reading() {
        return Behaviors.receive(Message.class)
                .onAnyMessage(message -> on(message))
                .onSignal(PostStop.class, stopped -> {
                    cancel();
                    return Behaviors.same();
                })
                .build();
    }

    private Behavior<Message> on(Message message) {
        switch (message) {
            case Opened opened -> {
                heard();
                stream = opened.stream();
                opened.stream().tell(new TextStream.Demand(CREDIT));
            }
            case Event event -> {
                heard();
                context.pipeToSelf(
                        queue.offer(event.event()),
                        (result, failure) ->
                                failure == null ? new Offered(result) : new NotOffered(String.valueOf(failure)));
            }
            case Offered offered -> {
                if (stream != null) {
                    stream.tell(new TextStream.Demand(1));
                }
            }
            case Pong pong -> heard();
            case Tick tick -> {
                if (System.nanoTime() - heardAt > patience.toNanos()) {
                    return fail(new GenerationFailure(
                            GenerationFailure.Kind.LOST,
                            "the front end %s has not answered for %d s; it may be lost. Connect to another and send the request again"
                                    .formatted(frontEnd, patience.toSeconds())));
                }
                if (stream != null) {
                    stream.tell(new TextStream.Ping());
                }
            }
            case Completed completed -> {
                stream = null;
                queue.complete();
                return Behaviors.stopped();
            }
            case Failed failed -> {
                return fail(failed.failure());
            }
            case NotOffered notOffered -> {
                return Behaviors.stopped();
            }
            case QueueEnded ended -> {
                return Behaviors.stopped();
            }
        }
        return Behaviors.same();
    }

    private Behavior<Message> fail(GenerationFailure failure) {
        queue.fail(new RequestFailedException(failure));
        return Behaviors.stopped();
    }

    private void heard() {
        heardAt = System.nanoTime();
    }

    /** Ends the generation, unless it has ended. */
    private void cancel() {
        if (stream != null) {
            stream.tell(new TextStream.Cancel());
        }
    }
}
