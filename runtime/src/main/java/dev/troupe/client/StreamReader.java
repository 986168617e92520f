package dev.troupe.client;

import dev.troupe.serving.GenerationFailure;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.stream.QueueOfferResult;
import org.apache.pekko.stream.javadsl.SourceQueueWithComplete;
import org.jspecify.annotations.Nullable;

/**
 * The client's end of one generation: takes events from a {@link TextStream} on a front end, at most as many as were asked for,
 * and puts them into a stream queue. When the front end is silent, or an event is missing, it resumes the generation at another
 * one, after the events that it has. It tells the front end when the client is gone.
 */
public final class StreamReader {
    /** Events on their way at a time; enough to hide a round trip. */
    static final int CREDIT = 32;

    /** Offers at a time to a client that takes nothing: as many as were asked for, and what comes after the last event. */
    static final int MOST_OFFERS = CREDIT + 2;

    private final ActorContext<Message> context;
    private final TimerScheduler<Message> timers;
    private final Setup setup;
    private final Silence silence;

    private String frontEnd;

    /** Counts the front ends that were asked. */
    private long attempt;

    private @Nullable ActorRef<Answer> ear;
    private @Nullable ActorRef<TextStream.Command> stream;
    private String id;

    /** Events that the client has or will get, and those of them that it has taken. */
    private long seen;

    /** Those of every choice, beside the first. */
    private final int[] seenOf;

    private long taken;
    private TextEvent.@Nullable Usage usage;
    private int refusals;

    private StreamReader(ActorContext<Message> context, TimerScheduler<Message> timers, Setup setup) {
        this.context = context;
        this.timers = timers;
        this.setup = setup;
        this.silence = new Silence(setup.patience(), setup.nanoTime());
        this.frontEnd = setup.frontEnds().current();
        this.seenOf = new int[setup.request().choices()];
        this.id = setup.id();
        this.seen = id.isEmpty() ? 0 : 1;
        this.taken = seen;
    }

    /** What a reader understands. */
    sealed interface Message {}

    /** What a front end tells it. */
    public sealed interface Answer {}

    /** The front end took the request; ask {@code stream} for events. */
    public record Opened(ActorRef<TextStream.Command> stream) implements Answer {}

    /**
     * An event.
     *
     * @param number among the events of the generation, from 0
     */
    public record Event(long number, TextEvent event) implements Answer {}

    /**
     * There are no more events.
     *
     * @param events how many there were
     * @param usage what is to be told after them
     */
    public record Completed(long events, TextEvent.Usage usage) implements Answer {}

    /** The generation has ended without all of its tokens. */
    public record Failed(GenerationFailure failure) implements Answer {}

    /**
     * The answer to {@link TextStream.Ping}.
     *
     * @param events those before this one have been sent
     * @param frontEnds of the cluster, {@code host:port}
     */
    public record Pong(long events, List<String> frontEnds) implements Answer {
        public Pong {
            frontEnds = List.copyOf(frontEnds);
        }
    }

    private record Heard(long attempt, boolean opens, Answer answer) implements Message {}

    private record Offered(QueueOfferResult result) implements Message {}

    private record NotOffered(String reason) implements Message {}

    private record Tick() implements Message {}

    private record Again() implements Message {}

    private record QueueEnded() implements Message {}

    /**
     * What a reader is made of.
     *
     * @param request what is wanted
     * @param id of a generation that is there already, all of whose events are wanted but the first; or empty
     * @param queue where events go
     * @param frontEnds who can be asked
     * @param resolve a front end at an address
     * @param leaves whether the generation is left to whoever comes back to it when the queue ends before it
     * @param patience how long all of them may be silent
     * @param nanoTime a monotonic clock, in nanoseconds
     */
    record Setup(
            TextRequest request,
            String id,
            SourceQueueWithComplete<TextEvent> queue,
            FrontEnds frontEnds,
            Function<String, RecipientRef<FrontEnd.Command>> resolve,
            BooleanSupplier leaves,
            Duration patience,
            LongSupplier nanoTime) {}

    /** The behaviour of a reader, which asks at once. */
    static Behavior<Message> create(Setup setup) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            StreamReader reader = new StreamReader(context, timers, setup);
            context.pipeToSelf(setup.queue().watchCompletion(), (Done done, Throwable failure) -> new QueueEnded());
            timers.startTimerWithFixedDelay(new Tick(), Silence.PING_EVERY);
            reader.ask();
            return reader.reading();
        }));
    }

    private Behavior<Message> reading() {
        return Behaviors.receive(Message.class)
                .onAnyMessage(this::on)
                .onSignal(PostStop.class, stopped -> {
                    if (setup.leaves().getAsBoolean()) {
                        tell(new TextStream.Leave());
                    } else {
                        cancel();
                    }
                    return Behaviors.same();
                })
                .build();
    }

    /** Asks the front end that is the one to ask now. */
    private void ask() {
        attempt++;
        boolean opens = id.isEmpty();
        if (ear != null && !opens) {
            // Another that opens may still answer, and must then be told that nobody wants its generation.
            context.stop(ear);
        }
        ActorRef<Answer> now = ear(attempt, opens);
        ear = now;
        stream = null;
        silence.asked();
        setup.resolve()
                .apply(frontEnd)
                .tell(
                        opens
                                ? new FrontEnd.Open(setup.request(), now)
                                : new FrontEnd.Resume(id, setup.request(), Ints.of(seenOf), now));
    }

    /** Hears one front end, so that what an earlier one says late is known for what it is. */
    private ActorRef<Answer> ear(long number, boolean opens) {
        ActorRef<Message> self = context.getSelf();
        return context.spawnAnonymous(Behaviors.<Answer>receiveMessage(answer -> {
            self.tell(new Heard(number, opens, answer));
            return Behaviors.same();
        }));
    }

    private Behavior<Message> on(Message message) {
        switch (message) {
            case Heard heard
            when heard.attempt() == attempt -> {
                return onAnswer(heard.answer());
            }
            case Heard(long _, boolean opens, Opened(ActorRef<TextStream.Command> late)) -> {
                if (opens) {
                    late.tell(new TextStream.Cancel());
                }
            }
            case Heard _ -> {}
            case Offered _ -> {
                taken++;
                demand();
                return finish();
            }
            case Tick _ -> {
                return tick();
            }
            case Again _ -> ask();
            case NotOffered _, QueueEnded _ -> {
                return Behaviors.stopped();
            }
        }
        return Behaviors.same();
    }

    private Behavior<Message> onAnswer(Answer answer) {
        silence.heard();
        switch (answer) {
            case Opened opened -> {
                stream = opened.stream();
                demand();
            }
            case Event event -> {
                if (event.number() > seen) {
                    return move("event %d came after event %d".formatted(event.number(), seen - 1));
                }
                if (event.number() == seen) {
                    take(event.event());
                }
            }
            case Pong pong -> {
                setup.frontEnds().learn(pong.frontEnds());
                if (pong.events() > seen) {
                    return move("events from %d to %d were lost".formatted(seen, pong.events() - 1));
                }
            }
            case Completed completed -> {
                if (completed.events() > seen) {
                    return move("events from %d to %d were lost".formatted(seen, completed.events() - 1));
                }
                usage = completed.usage();
                return finish();
            }
            case Failed(GenerationFailure failure) -> {
                return failed(failure);
            }
        }
        return Behaviors.same();
    }

    private void take(TextEvent event) {
        if (event instanceof TextEvent.Started started) {
            id = started.id();
        }
        TextEvent.choiceOf(event).ifPresent(choice -> seenOf[choice]++);
        seen++;
        refusals = 0;
        silence.progressed();
        context.pipeToSelf(
                setup.queue().offer(event),
                (result, failure) -> failure == null ? new Offered(result) : new NotOffered(String.valueOf(failure)));
    }

    /** Ends the stream when there is nothing more to come and the queue has all that has come. */
    private Behavior<Message> finish() {
        TextEvent.Usage last = usage;
        if (last == null || taken < seen) {
            return Behaviors.same();
        }
        var _ = setup.queue().offer(last);
        setup.queue().complete();
        return Behaviors.stopped();
    }

    private void demand() {
        tell(new TextStream.Demand(taken + CREDIT));
    }

    private Behavior<Message> tick() {
        if (usage != null) {
            return Behaviors.same(); // no front end is needed any more
        }
        if (silence.isOver()) {
            return fail(new GenerationFailure(
                    GenerationFailure.Kind.LOST,
                    "none of the front ends %s has answered for %d s; they may be lost. Connect to another and send the request again"
                            .formatted(setup.frontEnds(), setup.patience().toSeconds())));
        }
        if (silence.isLong(stream != null, setup.frontEnds().count() > 1)) {
            return move("it has not answered for %d ms".formatted(silence.millis()));
        }
        tell(new TextStream.Ping());
        return Behaviors.same();
    }

    /** Leaves a front end for the next one. */
    private Behavior<Message> move(String why) {
        context.getLog().info("leaving front end {}: {}", frontEnd, why);
        if (id.isEmpty()) {
            cancel();
        }
        frontEnd = setup.frontEnds().after(frontEnd);
        ask();
        return Behaviors.same();
    }

    private Behavior<Message> failed(GenerationFailure failure) {
        refusals++;
        // Who has a ticket has asked elsewhere, and the newest wins.
        boolean left = failure.kind() == GenerationFailure.Kind.SUPERSEDED
                && setup.request().ticket() != null;
        if (left || !failure.isElsewhere() || refusals > 2 * setup.frontEnds().count()) {
            return fail(failure);
        }
        frontEnd = setup.frontEnds().after(frontEnd);
        stream = null;
        timers.startSingleTimer(new Again(), Silence.REST);
        return Behaviors.same();
    }

    private Behavior<Message> fail(GenerationFailure failure) {
        setup.queue().fail(new RequestFailedException(failure));
        return Behaviors.stopped();
    }

    /** Ends the generation, or lets the front end forget it. */
    private void cancel() {
        tell(new TextStream.Cancel());
    }

    private void tell(TextStream.Command command) {
        if (stream != null) {
            stream.tell(command);
        }
    }
}
