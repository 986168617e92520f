package dev.troupe.serving;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.apache.pekko.actor.testkit.typed.Effect;
import org.apache.pekko.actor.testkit.typed.javadsl.BehaviorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * Nodes, a network between them and one virtual clock, all driven by one seed: the same seed gives the same run. Nodes crash,
 * pause and start again as new incarnations; links are cut, slow, lossy, and repeat what they carry. Order holds between two
 * nodes as on a TCP connection, but for what is repeated.
 */
final class SimulatedWorld {
    private static final long MILLI = 1_000_000;

    private record Event(long at, long order, Runnable action) implements Comparable<Event> {
        @Override
        public int compareTo(Event other) {
            return at != other.at ? Long.compare(at, other.at) : Long.compare(order, other.order);
        }
    }

    private record Note(long at, String what) {
        @Override
        public String toString() {
            return "%9.3f ms  %s".formatted(at / 1e6, what);
        }
    }

    /** One life of a node's process. */
    static final class Node {
        final int place;
        final long uid;
        final long startedAt;
        boolean alive = true;
        boolean paused;
        boolean leaving;
        private final ArrayDeque<Runnable> held = new ArrayDeque<>();

        private Node(int place, long uid, long startedAt) {
            this.place = place;
            this.uid = uid;
            this.startedAt = startedAt;
        }

        @Override
        public String toString() {
            return "n" + place + "#" + uid;
        }
    }

    final Random random;
    private final PriorityQueue<Event> events = new PriorityQueue<>();
    private final Map<Integer, Node> nodes = new HashMap<>();
    private final Set<Long> cuts = new HashSet<>();
    private final Map<Long, Long> lastArrival = new HashMap<>();
    private final List<Note> trace = new ArrayList<>();

    /** Parent of all actors: they share its stub of an actor system, which takes longer to make than many of them live. */
    private final BehaviorTestKit<Behavior<?>> parent =
            BehaviorTestKit.create(Behaviors.receive((context, behavior) -> {
                context.spawnAnonymous(behavior);
                return Behaviors.same();
            }));

    private long now;
    private long orders;
    private long uids;
    private boolean healed;

    SimulatedWorld(long seed) {
        this.random = new Random(seed);
    }

    /** Nanoseconds since the beginning. */
    long now() {
        return now;
    }

    /** A new life at {@code place}. */
    Node start(int place) {
        Node node = new Node(place, ++uids, now);
        nodes.put(place, node);
        note("%s starts".formatted(node));
        return node;
    }

    /** An actor of its own, whose effects the caller carries out. */
    <T> BehaviorTestKit<T> start(Behavior<T> behavior) {
        parent.run(behavior);
        @SuppressWarnings("unchecked") // what was spawned is of this behaviour
        ActorRef<T> spawned =
                parent.expectEffectClass(Effect.SpawnedAnonymous.class).ref();
        return parent.childTestKit(spawned);
    }

    Node at(int place) {
        return Objects.requireNonNull(nodes.get(place));
    }

    /** Whoever lives and answers. */
    boolean answers(Node from, Node to) {
        return to.alive && !to.paused && !isCut(from, to);
    }

    void note(String what) {
        trace.add(new Note(now, what));
    }

    /** What has happened, for people. */
    String trace() {
        return trace.stream().map(Note::toString).collect(Collectors.joining("\n"));
    }

    /** Runs {@code action} on {@code node} after a time, unless it has crashed by then. */
    void after(Node node, long millis, Runnable action) {
        at(now + millis * MILLI, () -> on(node, action));
    }

    /** Runs {@code action} after a time, whoever lives. */
    void later(long millis, Runnable action) {
        at(now + millis * MILLI, action);
    }

    private void at(long time, Runnable action) {
        events.add(new Event(time, ++orders, action));
    }

    private static void on(Node node, Runnable action) {
        if (!node.alive) {
            return;
        }
        if (node.paused) {
            node.held.add(action);
        } else {
            action.run();
        }
    }

    /** Carries {@code arrival} from one node to another; it may be lost with a cut, and be repeated. */
    void send(Node from, Node to, Runnable arrival) {
        if (!from.alive || isCut(from, to)) {
            return;
        }
        long pair = pair(from, to);
        long delay = from == to ? 0 : 50_000 + random.nextInt(2_000_000);
        if (!healed && random.nextInt(40) == 0) {
            delay += random.nextInt(300) * MILLI;
        }
        long arrives = Math.max(now + delay, lastArrival.getOrDefault(pair, 0L));
        lastArrival.put(pair, arrives);
        at(arrives, () -> on(to, arrival));
        if (!healed && random.nextInt(20) == 0) {
            at(arrives + random.nextInt(500) * MILLI, () -> on(to, arrival));
        }
    }

    private static long pair(Node from, Node to) {
        return from.uid << 32 | to.uid;
    }

    private boolean isCut(Node from, Node to) {
        return cuts.contains(pair(from, to));
    }

    void crash(Node node) {
        note("%s crashes".formatted(node));
        node.alive = false;
        node.held.clear();
    }

    void pause(Node node, long millis) {
        note("%s pauses for %d ms".formatted(node, millis));
        node.paused = true;
        later(millis, () -> {
            note("%s resumes".formatted(node));
            node.paused = false;
            while (!node.held.isEmpty() && node.alive && !node.paused) {
                node.held.poll().run();
            }
        });
    }

    void cut(Node a, Node b, boolean both, long millis) {
        note("%s and %s are cut off%s for %d ms".formatted(a, b, both ? "" : " in one direction", millis));
        cuts.add(pair(a, b));
        if (both) {
            cuts.add(pair(b, a));
        }
        later(millis, () -> {
            cuts.remove(pair(a, b));
            cuts.remove(pair(b, a));
        });
    }

    /** From now on the network is perfect. */
    void heal() {
        note("healed");
        healed = true;
        cuts.clear();
    }

    /** Lets time pass until there is nothing to do, {@code millis} are over, or {@code done} holds. */
    void run(long millis, BooleanSupplier done) {
        long end = now + millis * MILLI;
        while (!events.isEmpty() && events.peek().at() <= end && !done.getAsBoolean()) {
            Event event = events.poll();
            now = event.at();
            event.action().run();
        }
    }
}
