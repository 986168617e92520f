package dev.troupe.cluster.placement;

import dev.troupe.cluster.guardian.NodeGuardian;
import dev.troupe.cluster.guardian.Vote;
import dev.troupe.cluster.identity.EntityIds;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.cluster.watch.NodeWatch;
import dev.troupe.cluster.watch.Tenant;
import dev.troupe.plan.Assignment;
import dev.troupe.plan.Site;
import dev.troupe.plan.SplitPlanner;
import dev.troupe.plan.UnplannableException;
import dev.troupe.serving.Placement;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.typed.Cluster;

/**
 * The actor of one placement: holds ballots until one is won on enough nodes or time is up, answers once, and stops. It
 * waits for all members that nothing speaks against, and for the rest only as long as patience lasts.
 */
final class PlacementRound {
    /** Unanswered members are asked again, and unsettled homes looked at again, so often while patience lasts. */
    private static final int ASKS = 5;

    /** So often are those asked that something speaks against, where the split is smaller without them. */
    private static final int ASKS_OF_SUSPECTS = 2;

    private final ActorContext<Command> context;
    private final TimerScheduler<Command> timers;
    private final Placer.Setup setup;
    private final ModelSpec model;
    private final Placement.Request request;
    private final Rounds rounds;
    private final ActorRef<Vote> votes;
    private final String replica;
    private Ballot ballot;
    private int ticks;
    private int lost;

    private PlacementRound(
            ActorContext<Command> context,
            TimerScheduler<Command> timers,
            Placer.Setup setup,
            Rounds rounds,
            ModelSpec model,
            Placement.Request request) {
        this.context = context;
        this.timers = timers;
        this.setup = setup;
        this.rounds = rounds;
        this.model = model;
        this.request = request;
        this.replica = EntityIds.replica(request.model(), request.replica());
        this.votes = context.messageAdapter(Vote.class, Voted::new);
        this.ballot = new Ballot(request.above(), model.card());
    }

    sealed interface Command {}

    private record Voted(Vote vote) implements Command {}

    private enum Timer implements Command {
        TICK,
        RETRY,
        DEADLINE
    }

    static Behavior<Command> create(Placer.Setup setup, Rounds rounds, ModelSpec model, Placement.Request request) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            PlacementRound round = new PlacementRound(context, timers, setup, rounds, model, request);
            timers.startTimerWithFixedDelay(Timer.TICK, setup.times().patience().dividedBy(ASKS));
            timers.startSingleTimer(Timer.DEADLINE, setup.times().deadline());
            round.open(request.above());
            return Behaviors.receiveMessage(round::on);
        }));
    }

    private Behavior<Command> on(Command command) {
        return switch (command) {
            case Voted voted -> {
                ballot.note(voted.vote());
                yield decide();
            }
            case Timer.TICK -> {
                ticks++;
                members().forEach(this::ask);
                yield decide();
            }
            case Timer.RETRY -> {
                open(ballot.highest());
                yield Behaviors.same();
            }
            case Timer.DEADLINE ->
                answer(new Placement.NotPlaced("no epoch for %s within %s: %s"
                        .formatted(replica, text(setup.times().deadline()), account())));
        };
    }

    private String account() {
        String nodes = ballot.account();
        return lost == 0 ? nodes : "%d ballots were lost to higher ones of other schedulers; %s".formatted(lost, nodes);
    }

    private static String text(Duration duration) {
        return "%.1f s".formatted(duration.toMillis() / 1000.0);
    }

    /** Starts the next ballot. */
    private void open(Epoch above) {
        ballot = new Ballot(rounds.next(above), model.card());
        ticks = 0;
        members().forEach(this::ask);
    }

    private void ask(Member member) {
        ballot.ask(Incarnation.of(member));
        Address address = member.address();
        NodeGuardian.at(context.getSystem(), address)
                .tell(new NodeGuardian.Promise(replica, ballot.epoch(), model.terms(), votes));
    }

    private List<Member> members() {
        return StreamSupport.stream(
                        Cluster.get(context.getSystem()).state().getMembers().spliterator(), false)
                .filter(member -> member.status().equals(MemberStatus.up()))
                .toList();
    }

    /** Members that can be expected to answer. */
    private Set<Incarnation> expected() {
        Set<Incarnation> expected =
                members().stream().map(Incarnation::of).collect(Collectors.toCollection(TreeSet::new));
        Cluster.get(context.getSystem()).state().getUnreachable().forEach(m -> expected.remove(Incarnation.of(m)));
        expected.removeAll(setup.suspects().now());
        return expected;
    }

    private Behavior<Command> decide() {
        if (setup.leaving().getAsBoolean()) {
            return answer(Placer.withdrawn(setup));
        }
        if (timers.isTimerActive(Timer.RETRY)) {
            return Behaviors.same();
        }
        if (ballot.isLost()) {
            if (isSuperseded()) {
                return answer(new Placement.Superseded(ballot.highest()));
            }
            lost++;
            retryLater();
            return Behaviors.same();
        }
        boolean patient = ticks < ASKS;
        if (patient && (!ballot.hasAll(expected()) || ballot.isUnsettled())) {
            return Behaviors.same();
        }
        if (ticks < ASKS_OF_SUSPECTS && isShort() && !ballot.hasAll(notLost())) {
            return Behaviors.same();
        }
        if (ballot.isHopeless() && ballot.hasAll(expected())) {
            return answer(new Placement.NotPlaced("no node can take part in %s: %s".formatted(replica, account())));
        }
        List<Site> sites = request.here() ? here(ballot.sites()) : ballot.sites();
        if (sites.isEmpty() || !ballot.isUsable(control())) {
            return Behaviors.same();
        }
        return answer(outcome(sites));
    }

    /** Whether the replica would have a smaller split than with those that have not answered. */
    private boolean isShort() {
        int wanted = request.pipelineParallel() * request.tensorParallel();
        return ballot.sites().size() < Math.min(wanted, setup.mostDevices().getAsInt());
    }

    /** Members that may still answer: a broken connection speaks against healthy nodes too, at both of its ends. */
    private Set<Incarnation> notLost() {
        Set<Incarnation> notLost =
                members().stream().map(Incarnation::of).collect(Collectors.toCollection(TreeSet::new));
        notLost.removeAll(setup.suspects().lost());
        return notLost;
    }

    /** Whether the replica was this node's and another one has taken it over since. */
    private boolean isSuperseded() {
        long self = setup.self().uid();
        return request.above().issuer() == self && ballot.highest().issuer() != self;
    }

    /** Sites of this node; all of them if it has none. */
    private List<Site> here(List<Site> all) {
        List<Site> own = all.stream()
                .filter(site -> site.node().equals(setup.self().toString()))
                .toList();
        return own.isEmpty() ? all : own;
    }

    /** The first loss is only news of a higher epoch; after more of them somebody is competing, and chance decides. */
    private void retryLater() {
        if (lost == 1) {
            open(ballot.highest());
        } else {
            long bound = setup.times().patience().toMillis();
            timers.startSingleTimer(
                    Timer.RETRY, Duration.ofMillis(ThreadLocalRandom.current().nextLong(1, bound + 1)));
        }
    }

    private Slot control() {
        return Slot.of(setup.self(), NodeRole.CONTROL);
    }

    private Placement.Outcome outcome(List<Site> sites) {
        SplitPlanner planner = new SplitPlanner(
                model.config(),
                request.pipelineParallel(),
                request.tensorParallel(),
                model.partition(),
                model.footprint());
        try {
            Assignment assignment = assignment(planner, sites);
            warnOfLess(assignment);
            return placed(plan(assignment));
        } catch (UnplannableException e) {
            return new Placement.NotPlaced("no plan for %s: %s".formatted(replica, e.getMessage()));
        }
    }

    private void warnOfLess(Assignment assignment) {
        long ranks = assignment.sites().stream().mapToLong(List::size).sum();
        if (ranks < (long) request.pipelineParallel() * request.tensorParallel()) {
            context.getLog()
                    .warn(
                            "{} gets {} ranks where {} x {} are wanted: {}; slots to avoid: {}",
                            replica,
                            ranks,
                            request.pipelineParallel(),
                            request.tensorParallel(),
                            account(),
                            request.avoid());
        }
    }

    /** Without the sites to avoid, as long as the others can take all. */
    private Assignment assignment(SplitPlanner planner, List<Site> sites) throws UnplannableException {
        int most = setup.mostDevices().getAsInt();
        List<Site> rest = sites.stream()
                .filter(site -> !request.avoid().contains(site.slot()))
                .toList();
        if (rest.isEmpty() || rest.size() == sites.size()) {
            return planner.plan(sites, most);
        }
        try {
            return planner.plan(rest, most);
        } catch (UnplannableException e) {
            context.getLog().info("no plan without {}: {}", request.avoid(), e.getMessage());
            return planner.plan(sites, most);
        }
    }

    private Placement.Placed placed(ReplicaPlan plan) {
        List<RecipientRef<PipelineStage.Command>> stages = new ArrayList<>();
        List<Tenant> tenants = new ArrayList<>();
        for (int s = 0; s < plan.slots().size(); s++) {
            RecipientRef<PipelineStage.Command> stage =
                    setup.stages().apply(EntityIds.stage(replica, ballot.epoch(), s, control()));
            stages.add(stage);
            List<String> slots = plan.slots().get(s);
            for (int r = 0; r < slots.size(); r++) {
                Slot slot = Slot.parse(slots.get(r));
                tenants.add(new Tenant(new ShardId(ballot.epoch(), s, r), slot, ballot.lane(slot.node()), stage));
            }
        }
        setup.watch().tell(new NodeWatch.Watch(replica, ballot.epoch(), tenants));
        return new Placement.Placed(ballot.epoch(), plan, stages, ballot.alive());
    }

    private ReplicaPlan plan(Assignment assignment) {
        return new ReplicaPlan(
                request.model(),
                request.replica(),
                model.card().registered().fingerprint(),
                model.numerics(),
                assignment.partition(),
                assignment.sites().stream()
                        .map(stage -> stage.stream().map(Site::slot).toList())
                        .toList(),
                model.kvType(),
                model.kvBlockSize(),
                model.kvBlocks());
    }

    private Behavior<Command> answer(Placement.Outcome outcome) {
        request.replyTo().tell(outcome);
        return Behaviors.stopped();
    }
}
