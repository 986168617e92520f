package dev.troupe.client;

import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.eventstream.EventStream;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.remote.artery.GracefulShutdownQuarantinedEvent;
import org.apache.pekko.remote.artery.QuarantinedEvent;

/**
 * Meets nodes again. Artery drops what a client tells an address whose actor system has ended in good order, or was given up,
 * also when another system has started there: only selections pass, and an answer to one ends the quarantine. Members of the
 * cluster need none of this, because a node that joins makes itself known to them.
 */
final class ReturnedNodes {
    private static final Duration FIRST = Duration.ofSeconds(1);

    /** Between two looks for a node that stays away. */
    private static final Duration LONGEST = Duration.ofSeconds(8);

    private final ActorContext<Command> context;
    private final TimerScheduler<Command> timers;
    private final Set<Address> away = new HashSet<>();

    private ReturnedNodes(ActorContext<Command> context, TimerScheduler<Command> timers) {
        this.context = context;
        this.timers = timers;
    }

    private sealed interface Command {}

    private record Gone(Address node) implements Command {}

    private record Look(Address node, Duration next) implements Command {}

    private record Met(Address node) implements Command {}

    private record Missed(Address node, Duration next) implements Command {}

    private enum Stop implements Command {
        INSTANCE
    }

    /**
     * Starts one for {@code system}.
     *
     * @return ends it
     */
    static Runnable start(ActorSystem<?> system, String name) {
        ActorRef<Command> ref = system.systemActorOf(create(), name, Props.empty());
        return () -> ref.tell(Stop.INSTANCE);
    }

    private static Behavior<Command> create() {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            subscribe(context);
            ReturnedNodes nodes = new ReturnedNodes(context, timers);
            return Behaviors.receiveMessage(nodes::on);
        }));
    }

    private static void subscribe(ActorContext<Command> context) {
        ActorRef<EventStream.Command> events = context.getSystem().eventStream();
        events.tell(new EventStream.Subscribe<>(
                GracefulShutdownQuarantinedEvent.class,
                context.messageAdapter(
                        GracefulShutdownQuarantinedEvent.class,
                        event -> new Gone(event.uniqueAddress().address()))));
        events.tell(new EventStream.Subscribe<>(
                QuarantinedEvent.class,
                context.messageAdapter(
                        QuarantinedEvent.class,
                        event -> new Gone(event.uniqueAddress().address()))));
    }

    private Behavior<Command> on(Command command) {
        switch (command) {
            case Gone(Address node) -> {
                if (away.add(node)) {
                    lookAfter(FIRST, node);
                }
            }
            case Look(Address node, Duration next) -> look(node, next);
            case Met(Address node) -> away.remove(node);
            case Missed(Address node, Duration next) -> lookAfter(next, node);
            case Stop.INSTANCE -> {
                return Behaviors.stopped();
            }
        }
        return Behaviors.same();
    }

    private void lookAfter(Duration wait, Address node) {
        Duration twice = wait.multipliedBy(2);
        timers.startSingleTimer(node, new Look(node, twice.compareTo(LONGEST) < 0 ? twice : LONGEST), wait);
    }

    private void look(Address node, Duration next) {
        context.pipeToSelf(
                Adapter.toClassic(context)
                        .actorSelection("%s/system/%s".formatted(node, FrontEnd.NAME))
                        .resolveOne(FIRST),
                (found, failure) -> failure == null ? new Met(node) : new Missed(node, next));
    }
}
