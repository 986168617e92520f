package dev.troupe.serving;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.pekko.actor.testkit.typed.Effect;
import org.apache.pekko.actor.testkit.typed.javadsl.BehaviorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.slf4j.event.Level;

/**
 * A real behaviour on a node of a {@link SimulatedWorld}: its timers run on the virtual clock, its questions and watches are
 * answered by the simulation.
 *
 * @param <T> what it understands
 */
final class SimulatedActor<T> {
    private final SimulatedWorld world;
    private final SimulatedWorld.Node node;
    private final BehaviorTestKit<T> kit;
    private final Consumer<Effect.AskInitiated<?, ?, ?>> asks;
    private final Runnable afterwards;
    private final Map<Object, Integer> timers = new HashMap<>();
    private final Map<ActorRef<?>, Object> watched = new HashMap<>();
    private int timerIds;

    /**
     * @param asks who answers its questions
     * @param afterwards runs after each of its turns: carries on what it has sent
     */
    SimulatedActor(
            SimulatedWorld world,
            SimulatedWorld.Node node,
            Behavior<T> behavior,
            Consumer<Effect.AskInitiated<?, ?, ?>> asks,
            Runnable afterwards) {
        this.world = world;
        this.node = node;
        this.asks = asks;
        this.afterwards = afterwards;
        this.kit = world.start(behavior);
        settle();
    }

    ActorRef<T> ref() {
        return kit.getRef();
    }

    boolean isAlive() {
        return node.alive && kit.isAlive();
    }

    /** A message has arrived. */
    void tell(T message) {
        if (isAlive()) {
            kit.run(message);
            settle();
        }
    }

    /** Something was told to one of its adapters, or an answer has come. */
    void wake() {
        if (isAlive()) {
            settle();
        }
    }

    /** Somebody that it may watch has ended. */
    @SuppressWarnings("unchecked") // what watchWith was given
    void ended(ActorRef<?> other) {
        Object message = watched.remove(other);
        if (message != null) {
            tell((T) message);
        }
    }

    private void settle() {
        do {
            while (kit.isAlive() && kit.selfInbox().hasMessages()) {
                kit.runOne();
            }
            kit.getAllEffects().forEach(this::on);
        } while (kit.isAlive() && kit.selfInbox().hasMessages());
        kit.getAllLogEntries().stream()
                .filter(entry -> entry.level() == Level.ERROR)
                .findFirst()
                .ifPresent(entry -> {
                    throw new AssertionError(node + " logs an error: " + entry.message());
                });
        kit.clearLog();
        afterwards.run();
    }

    private void on(Effect effect) {
        switch (effect) {
            case Effect.TimerScheduled<?> timer -> schedule(timer);
            case Effect.TimerCancelled cancelled -> timers.remove(cancelled.key());
            case Effect.WatchedWith<?, ?> watch -> watched.put(watch.other(), watch.message());
            case Effect.Unwatched<?> unwatch -> watched.remove(unwatch.other());
            case Effect.AskInitiated<?, ?, ?> ask -> asks.accept(ask);
            default -> {}
        }
    }

    private void schedule(Effect.TimerScheduled<?> timer) {
        int id = ++timerIds;
        timers.put(timer.key(), id);
        boolean repeats = !timer.mode().toString().equals("SingleMode");
        fire(timer.key(), id, timer.msg(), timer.duration(), repeats);
    }

    private void fire(Object key, int id, Object message, Duration delay, boolean repeats) {
        world.after(node, Math.max(1, delay.toMillis()), () -> {
            Integer current = timers.get(key);
            if (current == null || current != id) {
                return;
            }
            if (repeats) {
                fire(key, id, message, delay, true);
            } else {
                timers.remove(key);
            }
            @SuppressWarnings("unchecked") // its own timer
            T own = (T) message;
            tell(own);
        });
    }
}
