package dev.troupe.cluster.watch;

import dev.troupe.cluster.guardian.NodeGuardian;
import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.slot.SlotHomes;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.AddressFromURIString;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The actor that finds out that there are two clusters where there should be one, and ends this node if its own is the smaller:
 * whoever starts it again makes it join the other. The first seed node forms a cluster by itself when the others do not answer
 * it in time, because it is cut off or slow, and nothing in Pekko ever joins two clusters.
 */
public final class IslandWatch {
    private static final Duration ASK_EVERY = Duration.ofSeconds(5);
    private static final Logger LOG = LoggerFactory.getLogger(IslandWatch.class);

    private final ActorContext<Command> context;
    private final Setup setup;
    private final Islands islands;
    private final ActorRef<NodeInfo> descriptions;

    private IslandWatch(ActorContext<Command> context, Setup setup) {
        this.context = context;
        this.setup = setup;
        this.islands = new Islands(setup.self());
        this.descriptions = context.messageAdapter(NodeInfo.class, Described::new);
    }

    /** Why a node ends whose cluster is the smaller of two. */
    public enum Reason implements CoordinatedShutdown.Reason {
        /** There is only this one. */
        ISLAND
    }

    sealed interface Command {}

    private record Described(NodeInfo info) implements Command {}

    private enum Tick implements Command {
        INSTANCE
    }

    /**
     * What a watch is made of.
     *
     * @param seeds where other nodes of the same cluster are
     * @param homes who the members are, as this node knows them
     * @param every how often it asks
     */
    record Setup(Incarnation self, List<Address> seeds, SlotHomes homes, Duration every) {}

    /** Starts the watch of a node that knows seed nodes. */
    public static void start(ActorSystem<?> system, Incarnation self, SlotHomes homes) {
        List<Address> seeds = system.settings().config().getStringList("pekko.cluster.seed-nodes").stream()
                .map(AddressFromURIString::parse)
                .filter(seed -> !self.isAt(seed))
                .toList();
        if (!seeds.isEmpty()) {
            start(system, new Setup(self, seeds, homes, ASK_EVERY));
        }
    }

    static void start(ActorSystem<?> system, Setup setup) {
        system.systemActorOf(create(setup), "troupe-island-watch", Props.empty());
    }

    private static Behavior<Command> create(Setup setup) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            IslandWatch watch = new IslandWatch(context, setup);
            timers.startTimerWithFixedDelay(Tick.INSTANCE, setup.every());
            return watch.watching();
        }));
    }

    private Behavior<Command> watching() {
        return Behaviors.receiveMessage(command -> switch (command) {
            case Described described -> {
                islands.note(members(), described.info());
                yield Behaviors.same();
            }
            case Tick _ -> look();
        });
    }

    private Set<Incarnation> members() {
        return setup.homes().now().nodes().stream().map(NodeInfo::node).collect(Collectors.toSet());
    }

    private Behavior<Command> look() {
        Set<Incarnation> members = members();
        if (islands.isIsland()) {
            LOG.error(
                    "this node's cluster, {}, is the smaller of two: it ends, to join the other when it is started again",
                    members);
            CoordinatedShutdown.get(context.getSystem()).run(Reason.ISLAND);
            return Behaviors.stopped();
        }
        for (Address seed : setup.seeds()) {
            if (members.stream().noneMatch(member -> member.isAt(seed))) {
                NodeGuardian.at(context.getSystem(), seed).tell(new NodeGuardian.Describe(descriptions));
            }
        }
        return Behaviors.same();
    }
}
