package dev.troupe.chaos;

import dev.troupe.stage.ShardRoster;
import dev.troupe.wire.lane.LaneStatistics;
import java.io.File;
import java.io.IOException;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * The actor of a node that does to it what it is told: for tests, and for people who want to see a stream survive. Where
 * chaos is off it only says so.
 */
public final class ChaosAgent {
    static final String NAME = "troupe-chaos";

    private final ActorContext<Command> context;
    private final Setup setup;

    private ChaosAgent(ActorContext<Command> context, Setup setup) {
        this.context = context;
        this.setup = setup;
    }

    /** What an agent understands. */
    public sealed interface Command {}

    /** Do this. Answered by an {@link Observation} made afterwards, or {@link Refused}; a fatal fault is not answered. */
    public record Inject(Fault fault, ActorRef<Answer> replyTo) implements Command {}

    /** How is your node? */
    public record Observe(ActorRef<Answer> replyTo) implements Command {}

    private record Healed(String peer) implements Command {}

    /** What an agent answers. */
    public sealed interface Answer {}

    /**
     * What a node has counted since it was started.
     *
     * @param node {@code host:port#uid}
     * @param pid process id
     * @param slowed units of compute that were made slower
     * @param stuck units of compute that were blocked
     * @param cut messages of the tensor road that were dropped on purpose
     * @param reset connections of the lane that were closed on purpose
     * @param connections of the lane, open now
     * @param lost connections of the lane that ended or could not be made
     * @param stale messages of other epochs that were dropped, by the lane and by shards, those that have ended included
     */
    public record Observation(
            String node,
            long pid,
            long slowed,
            long stuck,
            long cut,
            long reset,
            int connections,
            long lost,
            long stale)
            implements Answer {}

    /** It does not do that; the reason says what to do. */
    public record Refused(String reason) implements Answer {}

    /**
     * What an agent works on.
     *
     * @param node {@code host:port#uid}
     * @param saboteur in the way of the node's ranks
     * @param resetLane closes all connections of the lane and says how many there were
     * @param lane its statistics; empty where there is no lane
     * @param laneOf the lane of a node by its Artery address, empty where it has none; if it is a member
     * @param roster the node's shards
     */
    public record Setup(
            String node,
            Saboteur saboteur,
            IntSupplier resetLane,
            Supplier<Optional<LaneStatistics>> lane,
            Function<String, Optional<String>> laneOf,
            ShardRoster roster) {}

    /** Starts the agent of a node where chaos is enabled. */
    public static void start(ActorSystem<?> system, Setup setup) {
        system.systemActorOf(create(setup), NAME, Props.empty());
    }

    /** Starts what answers where chaos is off. */
    public static void startRefusing(ActorSystem<?> system, String node) {
        system.systemActorOf(refusing(node), NAME, Props.empty());
    }

    static Behavior<Command> create(Setup setup) {
        return Behaviors.setup(context -> {
            context.getLog().warn("chaos is enabled: whoever reaches this node can make it fail");
            return new ChaosAgent(context, setup).running(0);
        });
    }

    static Behavior<Command> refusing(String node) {
        Refused refused = new Refused(
                "chaos is off on node %s: start it with troupe.chaos.enabled = on, which nobody but a test wants"
                        .formatted(node));
        return Behaviors.receiveMessage(command -> {
            switch (command) {
                case Inject(Fault _, ActorRef<Answer> replyTo) -> replyTo.tell(refused);
                case Observe(ActorRef<Answer> replyTo) -> replyTo.tell(refused);
                case Healed _ -> {}
            }
            return Behaviors.same();
        });
    }

    private Behavior<Command> running(long reset) {
        return Behaviors.receiveMessage(command -> switch (command) {
            case Observe(ActorRef<Answer> replyTo) -> {
                replyTo.tell(observation(reset));
                yield Behaviors.same();
            }
            case Inject(Fault fault, ActorRef<Answer> replyTo) -> inject(fault, replyTo, reset);
            case Healed(String peer) -> {
                ArteryCut.heal(context.getSystem(), peer);
                yield Behaviors.same();
            }
        });
    }

    private Behavior<Command> inject(Fault fault, ActorRef<Answer> replyTo, long reset) {
        context.getLog().warn("chaos: {}", fault);
        long newReset = reset;
        switch (fault) {
            case Fault.Kill() -> Runtime.getRuntime().halt(Saboteur.KILLED);
            case Fault.CrashInExchange() -> setup.saboteur().crashInExchange();
            case Fault.Poison(int token) -> setup.saboteur().poison(token);
            case Fault.Slow(double factor, Duration duration) ->
                setup.saboteur().slow(factor, duration);
            case Fault.StuckKernel(Duration duration) -> setup.saboteur().stick(duration);
            case Fault.ResetConnections() -> newReset += setup.resetLane().getAsInt();
            case Fault.Cut(String peer, Duration duration) -> {
                Optional<String> lane = setup.laneOf().apply(peer);
                if (lane.isEmpty()) {
                    replyTo.tell(new Refused("%s is no member that node %s knows".formatted(peer, setup.node())));
                    return Behaviors.same();
                }
                if (!lane.get().isEmpty()) {
                    setup.saboteur().cut(lane.get(), duration);
                }
                ArteryCut.cut(context.getSystem(), peer);
                context.scheduleOnce(duration, context.getSelf(), new Healed(peer));
            }
            case Fault.Pause(Duration duration) -> {
                Optional<String> failure = pause(duration);
                if (failure.isPresent()) {
                    replyTo.tell(new Refused(failure.get()));
                    return Behaviors.same();
                }
            }
        }
        replyTo.tell(observation(newReset));
        return running(newReset);
    }

    /** A shell outlives the stop of its parent and wakes it. */
    private static Optional<String> pause(Duration duration) {
        long pid = ProcessHandle.current().pid();
        String script = String.format(
                Locale.ROOT, "kill -STOP %d; sleep %.3f; kill -CONT %d", pid, duration.toMillis() / 1000.0, pid);
        try {
            new ProcessBuilder("sh", "-c", script)
                    .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(
                    "cannot pause process %d: %s; a POSIX sh is needed on the node".formatted(pid, e.getMessage()));
        }
    }

    private Observation observation(long reset) {
        Optional<LaneStatistics> lane = setup.lane().get();
        return new Observation(
                setup.node(),
                ProcessHandle.current().pid(),
                setup.saboteur().slowedUnits(),
                setup.saboteur().stuckUnits(),
                setup.saboteur().cutMessages(),
                reset,
                lane.map(LaneStatistics::connections).orElse(0),
                lane.map(LaneStatistics::lost).orElse(0L),
                setup.roster().stale() + lane.map(LaneStatistics::dropped).orElse(0L));
    }
}
