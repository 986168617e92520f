package dev.troupe.generation;

import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Router;
import dev.troupe.serving.Scheduler;
import dev.troupe.stage.Epoch;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * The actor that owns one request: it logs a token before anybody sees it, takes a token only from the newest epoch and
 * only at the next position of its choice, and is the one place where a stream can be resumed.
 *
 * <p>It never waits for ever: not for a first message, a subscriber, its scheduler, or the request's deadline.
 */
public final class Generation {
    /** What a generation understands. */
    public sealed interface Command {}

    /** What concerns the log and who reads it: the same in any state. */
    sealed interface Reading extends Command {}

    /** What concerns the computation of the request. */
    sealed interface Computing extends Command {}

    /** Begin. Answered by {@link Started}; repeated, it changes nothing. */
    public record Start(GenerationRequest request, ActorRef<Started> replyTo) implements Reading {}

    /** The generation is there and can be spoken to directly. */
    public record Started(GenerationId id, ActorRef<Command> generation) {}

    /**
     * Go on with a generation whose owner may be lost. Answered by a {@link Resumption}.
     *
     * @param original as it was named when it began
     * @param request what it was to compute: the same log is computed again where nobody holds it any more
     */
    public record Resume(GenerationId original, GenerationRequest request, ActorRef<Resumption> replyTo)
            implements Reading {}

    /** What {@link Resume} gives. */
    public sealed interface Resumption {}

    /**
     * The generation goes on and can be spoken to directly.
     *
     * @param id which it has here
     * @param entries in its log now
     */
    public record Resumed(GenerationId id, long entries, ActorRef<Command> generation) implements Resumption {}

    /** The generation cannot go on here. */
    public record NotResumed(GenerationId id, GenerationFailure failure) implements Resumption {}

    /**
     * Tell the log. The newest subscriber wins; an earlier one is told that it has been superseded. A subscriber's end
     * is the end of its subscription.
     *
     * @param subscription chosen by the subscriber to tell its demand from an earlier one's
     * @param from place in the log of the first entry that is wanted; 0 for all
     * @param demand events that the subscriber takes now
     */
    public record Subscribe(long subscription, long from, int demand, ActorRef<GenerationEvent> subscriber)
            implements Reading {}

    /** The subscriber takes {@code events} events more. */
    public record Demand(long subscription, int events) implements Reading {}

    /** The subscriber leaves. */
    public record Unsubscribe(long subscription) implements Reading {}

    /** Nobody wants any more of it. */
    public enum Cancel implements Computing {
        INSTANCE
    }

    /**
     * A choice is complete: a consumer has found a stop string in its text.
     *
     * @param completionTokens how many of its tokens count
     */
    public record End(int choice, int completionTokens) implements Computing {}

    /** How are you? */
    public record GetStatus(ActorRef<Status> replyTo) implements Reading {}

    /**
     * How a generation is.
     *
     * @param epoch the newest it has heard of
     * @param entries in its log
     * @param finished whether its log is complete
     * @param stale messages of earlier epochs, dropped
     * @param repeated outputs that were there already, dropped
     */
    public record Status(GenerationId id, Epoch epoch, long entries, boolean finished, long stale, long repeated) {}

    /** End at once. Also the stop message of its cluster shard. */
    public enum Stop implements Reading {
        INSTANCE
    }

    record FromScheduler(Scheduler.Update update) implements Computing {}

    record SchedulerGone(ActorRef<Scheduler.Command> scheduler) implements Computing {}

    record SubscriberGone(long subscription) implements Reading {}

    record FromKeeper(LogKeeper.Answer answer) implements Reading {}

    record LogCheck() implements Reading {}

    record SuccessionOverdue() implements Reading {}

    record Seek() implements Computing {}

    record Tick() implements Computing {}

    record Lingered() implements Computing {}

    record Overdue() implements Computing {}

    /**
     * How a generation behaves.
     *
     * @param schedulerComing how long it waits for a scheduler to be there at all, while the cluster forms
     * @param schedulerSilence the longest that nothing may be heard from the scheduler, which answers at once when asked
     * @param firstSubscriber how long it waits for the first subscriber
     * @param entriesPerEvent the most entries in one event
     */
    public record Settings(
            Duration schedulerComing, Duration schedulerSilence, Duration firstSubscriber, int entriesPerEvent) {
        /** The usual ones. */
        public static Settings standard() {
            return new Settings(Duration.ofMinutes(1), Duration.ofSeconds(4), Duration.ofSeconds(30), 64);
        }

        /** The same with another wait for a scheduler. */
        public Settings withSchedulerComing(Duration time) {
            return new Settings(time, schedulerSilence, firstSubscriber, entriesPerEvent);
        }
    }

    /**
     * What generations of a node need.
     *
     * @param router finds schedulers
     * @param logs makes their logs
     * @param holders finds the logs of others
     */
    public record Setup(Router router, TokenLog.Factory logs, LogHolders holders, Settings settings) {}

    private Generation() {}

    /** The behaviour of a generation that has not begun, whose log stays in this process. */
    public static Behavior<Command> create(GenerationId id, Router router, TokenLog.Factory logs, Settings settings) {
        return create(id, new Setup(router, logs, LogHolders.NONE, settings));
    }

    /** The behaviour of a generation that has not begun. */
    public static Behavior<Command> create(GenerationId id, Setup setup) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            context.setLoggerName(Generation.class);
            timers.startSingleTimer(
                    Ownership.LINGER, new Lingered(), setup.settings().firstSubscriber());
            return Behaviors.receiveMessage(command -> switch (command) {
                case Start start ->
                    new Ownership(context, timers, setup, id, opening(context, setup, id, start))
                            .begin(start.replyTo());
                case Resume(GenerationId original, GenerationRequest request, ActorRef<Resumption> replyTo) ->
                    new Succession(context, timers, setup, id, original, request).begin(replyTo);
                case Subscribe(long _, long _, int _, ActorRef<GenerationEvent> subscriber) -> {
                    subscriber.tell(new GenerationEvent.Failed(id, gone(id)));
                    yield Behaviors.stopped();
                }
                case GetStatus(ActorRef<Status> replyTo) -> {
                    replyTo.tell(new Status(id, Epoch.NONE, 0, false, 0, 0));
                    yield Behaviors.stopped();
                }
                case Demand _, Unsubscribe _, SubscriberGone _, FromKeeper _, LogCheck _, Stop _ -> Behaviors.stopped();
                case SuccessionOverdue _, Computing _ -> Behaviors.stopped();
            });
        }));
    }

    private static TokenLog.Opening opening(ActorContext<Command> context, Setup setup, GenerationId id, Start start) {
        return new TokenLog.Opening(
                id,
                OwnerTerm.first(setup.holders().self()),
                start.request(),
                Duration.ZERO,
                List.of(),
                List.of(),
                context.messageAdapter(LogKeeper.Answer.class, FromKeeper::new));
    }

    private static GenerationFailure gone(GenerationId id) {
        return new GenerationFailure(
                GenerationFailure.Kind.GONE,
                "generation %s is not here: it has ended some time ago, or its node has been started anew"
                        .formatted(id));
    }
}
