package dev.troupe.cluster.placement;

import dev.troupe.cluster.guardian.NodeGuardian;
import dev.troupe.cluster.guardian.ShardReport;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.plan.Assignment;
import dev.troupe.plan.Site;
import dev.troupe.plan.SplitPlanner;
import dev.troupe.plan.UnplannableException;
import dev.troupe.serving.Placement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.StreamSupport;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.typed.Cluster;

/**
 * The actor of one inquiry: asks the guardians of all members how their shards are, waits until all have answered or time is
 * up, answers once, and stops. It holds no ballot, so it changes nothing.
 */
public final class Survey {
    private final Placer.Setup setup;
    private final ModelSpec model;
    private final Placement.Inquiry inquiry;
    private final Set<Incarnation> missing = new TreeSet<>();
    private final Map<Incarnation, NodeGuardian.Health> answers = new TreeMap<>();

    private Survey(Placer.Setup setup, ModelSpec model, Placement.Inquiry inquiry) {
        this.setup = setup;
        this.model = model;
        this.inquiry = inquiry;
    }

    sealed interface Command {}

    private record Answered(NodeGuardian.Health health) implements Command {}

    private enum Deadline implements Command {
        DEADLINE
    }

    static Behavior<Command> create(Placer.Setup setup, ModelSpec model, Placement.Inquiry inquiry) {
        return Behaviors.setup(
                context -> Behaviors.withTimers(timers -> new Survey(setup, model, inquiry).asking(context, timers)));
    }

    private Behavior<Command> asking(ActorContext<Command> context, TimerScheduler<Command> timers) {
        timers.startSingleTimer(Deadline.DEADLINE, inquiry.within());
        ActorRef<NodeGuardian.Health> replyTo = context.messageAdapter(NodeGuardian.Health.class, Answered::new);
        List<Member> members = StreamSupport.stream(
                        Cluster.get(context.getSystem()).state().getMembers().spliterator(), false)
                .filter(member -> member.status().equals(MemberStatus.up()))
                .toList();
        members.forEach(member -> missing.add(Incarnation.of(member)));
        members.forEach(member -> NodeGuardian.at(context.getSystem(), member.address())
                .tell(new NodeGuardian.Inquire(NodeGuardian.HANGS_AFTER, replyTo)));
        return Behaviors.receiveMessage(command -> switch (command) {
            case Answered(NodeGuardian.Health health) -> {
                answers.put(health.node(), health);
                missing.remove(health.node());
                yield missing.isEmpty() ? answer() : Behaviors.same();
            }
            case Deadline.DEADLINE -> answer();
        });
    }

    private Behavior<Command> answer() {
        List<Placement.RankReport> ranks = new ArrayList<>();
        Set<String> hanging = new TreeSet<>();
        for (NodeGuardian.Health health : answers.values()) {
            for (ShardReport shard : health.shards()) {
                ranks.add(rank(shard));
                if (shard.condition() == ShardReport.Condition.STUCK) {
                    hanging.add(shard.slot());
                }
            }
        }
        List<Site> sites = setup.sites().get().stream()
                .filter(site -> !inquiry.avoid().contains(site.slot()) && !hanging.contains(site.slot()))
                .filter(site -> answers.keySet().stream()
                        .anyMatch(node -> node.toString().equals(site.node())))
                .toList();
        inquiry.replyTo().tell(new Placement.Findings(ranks, possible(sites)));
        return Behaviors.stopped();
    }

    /** How many ranks a placement on {@code sites} would make. */
    private int possible(List<Site> sites) {
        if (sites.isEmpty()) {
            return 0;
        }
        try {
            Assignment assignment = new SplitPlanner(
                            model.config(),
                            inquiry.pipelineParallel(),
                            inquiry.tensorParallel(),
                            model.partition(),
                            model.footprint())
                    .plan(sites, setup.mostDevices().getAsInt());
            return assignment.sites().stream().mapToInt(List::size).sum();
        } catch (UnplannableException e) {
            return 0;
        }
    }

    /** A shard's report, as schedulers understand it. */
    public static Placement.RankReport rank(ShardReport report) {
        return new Placement.RankReport(
                report.id(),
                switch (report.condition()) {
                    case ADVANCING -> Placement.RankReport.State.COMPUTING;
                    case STUCK -> Placement.RankReport.State.STUCK;
                    case LOADING, IDLE, WAITING, ENDED -> Placement.RankReport.State.OTHER;
                },
                report.work());
    }
}
