package dev.troupe.cluster.watch;

import dev.troupe.cluster.guardian.NodeGuardian;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.slot.SlotHomes;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.LossCause;
import dev.troupe.stage.PipelineStage;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.cluster.ClusterEvent;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Subscribe;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The actor that notices that a node is lost and tells the pipeline stages formed from here, with the node's name and what it
 * hosted. It believes a broken lane at once, because frames may be lost with it; what the cluster's failure detector says it
 * checks by asking the node's guardian, because the detector errs when processors are short.
 */
public final class NodeWatch {
    private static final String NAME = "troupe-watch";
    private static final Duration STUCK_AFTER = Duration.ofSeconds(10);
    private static final Logger LOG = LoggerFactory.getLogger(NodeWatch.class);

    private final ActorContext<Command> context;
    private final TimerScheduler<Command> timers;
    private final Setup setup;
    private final Tenancy tenancy = new Tenancy();
    private final Map<Incarnation, Address> members = new HashMap<>();
    private final Map<Incarnation, String> asked = new HashMap<>();
    private final Set<Incarnation> leaving = new HashSet<>();
    private final Set<ActorRef<NodeLost>> listeners = new HashSet<>();
    private final ActorRef<NodeGuardian.Health> answers;

    private NodeWatch(ActorContext<Command> context, TimerScheduler<Command> timers, Setup setup) {
        this.context = context;
        this.timers = timers;
        this.setup = setup;
        this.answers = context.messageAdapter(NodeGuardian.Health.class, Answered::new);
    }

    /** What a watch understands. */
    public sealed interface Command {}

    /** From now on tell the stages of these ranks; earlier epochs of the replica are forgotten. */
    public record Watch(String replica, Epoch epoch, List<Tenant> tenants) implements Command {
        public Watch {
            tenants = List.copyOf(tenants);
        }
    }

    /**
     * This node's lane has lost a peer.
     *
     * @param lane where the peer listens for tensors
     * @param reason what happened to the connection
     */
    public record LaneLost(String lane, String reason) implements Command {}

    /** Another node's lane has lost a peer. */
    public record LaneReport(Incarnation reporter, String lane, String reason) implements Command {}

    /** A node says that it will leave the cluster: what it does must be done elsewhere. */
    public record Leaves(Incarnation node) implements Command {}

    /** Tell {@code listener} about every node that is lost. */
    public record Subscription(ActorRef<NodeLost> listener) implements Command {}

    /**
     * A node is lost.
     *
     * @param reason for people
     */
    public record NodeLost(Incarnation node, String reason) {}

    private record Changed(ClusterEvent.MemberEvent event) implements Command {}

    private record Reached(ClusterEvent.ReachabilityEvent event) implements Command {}

    private record Answered(NodeGuardian.Health health) implements Command {}

    private record Unanswered(Incarnation node) implements Command {}

    private record ListenerEnded(ActorRef<NodeLost> listener) implements Command {}

    /**
     * What a watch is made of.
     *
     * @param suspects where to publish whom something speaks against
     * @param answerWithin how long a node that seems lost may take to answer
     * @param homes which nodes there are, and where they listen for tensors
     */
    public record Setup(Incarnation self, Suspects suspects, Duration answerWithin, SlotHomes homes) {}

    /** Starts the watch of {@code system}'s node, outside of the user's actors. */
    public static ActorRef<Command> start(ActorSystem<?> system, Setup setup) {
        return system.systemActorOf(create(setup), NAME, Props.empty());
    }

    /** The watch of {@code system}'s own node, which must have started. */
    static ActorRef<Command> local(ActorSystem<?> system) {
        return at(system, Cluster.get(system).selfMember().address());
    }

    /** Tells all members that {@code node}, this one, will leave. */
    public static void announceLeave(ActorSystem<?> system, Incarnation node) {
        Cluster.get(system)
                .state()
                .getMembers()
                .forEach(member -> at(system, member.address()).tell(new Leaves(node)));
    }

    private static ActorRef<Command> at(ActorSystem<?> system, Address address) {
        return ActorRefResolver.get(system).resolveActorRef("%s/system/%s".formatted(address, NAME));
    }

    private static Behavior<Command> create(Setup setup) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            NodeWatch watch = new NodeWatch(context, timers, setup);
            Cluster cluster = Cluster.get(context.getSystem());
            cluster.subscriptions()
                    .tell(Subscribe.create(
                            context.messageAdapter(ClusterEvent.MemberEvent.class, Changed::new),
                            ClusterEvent.MemberEvent.class));
            cluster.subscriptions()
                    .tell(Subscribe.create(
                            context.messageAdapter(ClusterEvent.ReachabilityEvent.class, Reached::new),
                            ClusterEvent.ReachabilityEvent.class));
            cluster.state().getMembers().forEach(watch::note);
            return Behaviors.receiveMessage(command -> {
                watch.on(command);
                return Behaviors.same();
            });
        }));
    }

    private void on(Command command) {
        switch (command) {
            case Watch watch -> tenancy.place(watch.replica(), watch.epoch(), watch.tenants());
            case LaneLost lost -> {
                members.forEach((node, address) -> {
                    if (!node.equals(setup.self())) {
                        at(context.getSystem(), address).tell(new LaneReport(setup.self(), lost.lane(), lost.reason()));
                    }
                });
                laneLost(setup.self(), lost.lane(), lost.reason());
            }
            case Leaves(Incarnation node) -> leaves(node);
            case LaneReport report -> laneLost(report.reporter(), report.lane(), report.reason());
            case Subscription subscription -> {
                listeners.add(subscription.listener());
                context.watchWith(subscription.listener(), new ListenerEnded(subscription.listener()));
            }
            case ListenerEnded ended -> listeners.remove(ended.listener());
            case Changed changed -> note(changed.event().member());
            case Reached reached -> reached(reached.event());
            case Answered answered -> cleared(answered.health().node());
            case Unanswered unanswered -> {
                String suspicion = asked.remove(unanswered.node());
                if (suspicion != null) {
                    setup.suspects().lose(unanswered.node());
                    lost(unanswered.node(), suspicion + " and does not answer");
                }
            }
        }
    }

    private void note(Member member) {
        Incarnation node = Incarnation.of(member);
        MemberStatus status = member.status();
        if (status.equals(MemberStatus.up())) {
            members.put(node, member.address());
        } else if (status.equals(MemberStatus.removed()) || status.equals(MemberStatus.down())) {
            boolean known = members.remove(node) != null;
            if (known && !leaving.remove(node)) {
                lost(node, "was removed from the cluster");
            }
            cleared(node);
        } else if (status.equals(MemberStatus.leaving()) || status.equals(MemberStatus.exiting())) {
            leaves(node);
        }
    }

    private void leaves(Incarnation node) {
        if (members.containsKey(node) && leaving.add(node)) {
            setup.suspects().lose(node);
            lost(node, "leaves the cluster");
        }
    }

    private void reached(ClusterEvent.ReachabilityEvent event) {
        Incarnation node = Incarnation.of(event.member());
        if (event instanceof ClusterEvent.UnreachableMember) {
            ask(node, "was not heard of by the failure detector");
        } else {
            cleared(node);
        }
    }

    private void laneLost(Incarnation reporter, String lane, String reason) {
        for (Tenancy.Loss loss : tenancy.loseLane(lane, reporter)) {
            Incarnation node = loss.tenants().getFirst().slot().node();
            tell(
                    loss,
                    LossCause.CONNECTION,
                    "the tensor lane from %s to node %s was lost (%s); that node hosted %s"
                            .formatted(reporter.hostPort(), node.hostPort(), reason, loss.hosted()));
            ask(node, "lost its lane");
        }
        setup.homes().now().nodes().stream()
                .filter(node -> node.lane().equals(lane))
                .forEach(node -> ask(node.node(), "lost its lane"));
    }

    /** Asks a node whether it is there. */
    private void ask(Incarnation node, String suspicion) {
        Address address = members.get(node);
        if (address == null || node.equals(setup.self())) {
            return;
        }
        setup.suspects().add(node);
        if (asked.putIfAbsent(node, suspicion) == null) {
            NodeGuardian.at(context.getSystem(), address).tell(new NodeGuardian.Inquire(STUCK_AFTER, answers));
            timers.startSingleTimer(new Unanswered(node), setup.answerWithin());
        }
    }

    private void cleared(Incarnation node) {
        asked.remove(node);
        timers.cancel(new Unanswered(node));
        if (!leaving.contains(node)) {
            setup.suspects().remove(node);
        }
    }

    private void lost(Incarnation node, String what) {
        for (Tenancy.Loss loss : tenancy.lose(node)) {
            tell(loss, LossCause.RANK, "node %s %s; it hosted %s".formatted(node.hostPort(), what, loss.hosted()));
        }
        NodeLost event = new NodeLost(node, "node %s %s".formatted(node.hostPort(), what));
        LOG.info("{}", event.reason());
        listeners.forEach(listener -> listener.tell(event));
    }

    private static void tell(Tenancy.Loss loss, LossCause cause, String reason) {
        LOG.warn("{}", reason);
        for (Tenant tenant : loss.tenants()) {
            tenant.stage().tell(new PipelineStage.RankLost(tenant.id(), cause, reason));
        }
    }
}
