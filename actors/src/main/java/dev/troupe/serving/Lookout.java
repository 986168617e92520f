package dev.troupe.serving;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.StepBatch;
import java.time.Duration;
import java.util.Set;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * How a scheduler watches the epoch that serves: waits for the oldest step in flight, asks the nodes about one that is late,
 * sends a canary when there is nothing to do, and looks from time to time whether the epoch could be better. Part of the
 * scheduler's actor.
 */
final class Lookout {
    private static final String STEP = "step";
    private static final String LOOK = "look";
    private static final String CANARY = "canary";

    private final ActorContext<Scheduler.Command> context;
    private final TimerScheduler<Scheduler.Command> timers;
    private final SchedulerSettings settings;
    private final RecipientRef<Placement.Command> placement;
    private final Clients clients;
    private final Upkeep upkeep;
    private final StepDoubt doubt;

    /** The step in flight that the timer stands for; 0 for none. */
    private long awaited;

    private boolean looking;

    /** No step of the epoch has been planned yet. */
    private boolean unproven;

    Lookout(
            ActorContext<Scheduler.Command> context,
            TimerScheduler<Scheduler.Command> timers,
            SchedulerSettings settings,
            RecipientRef<Placement.Command> placement,
            Clients clients,
            LongSupplier nanoTime) {
        this.context = context;
        this.timers = timers;
        this.settings = settings;
        this.placement = placement;
        this.clients = clients;
        this.upkeep = new Upkeep(settings, nanoTime);
        this.doubt = new StepDoubt(settings.waits().firstStep());
    }

    /** Slots that a placement avoids. */
    Set<String> avoided() {
        return upkeep.avoided();
    }

    /** The epoch serves. */
    void begin(Epoch epoch, ReplicaPlan plan) {
        upkeep.begin(epoch, plan);
        awaited = 0;
        looking = false;
        unproven = true;
        if (upkeep.isWanted()) {
            timers.startTimerWithFixedDelay(LOOK, new Scheduler.LookDue(), Upkeep.every());
        }
    }

    /** The epoch is over. */
    void end() {
        timers.cancel(STEP);
        timers.cancel(LOOK);
        timers.cancel(CANARY);
    }

    /**
     * Waits for the oldest step in flight, or, where there is nothing to do, for the time of a canary: at once in a new epoch,
     * so that it knows how long a step takes before somebody waits for one.
     */
    void await(EpochSteps steps) {
        StepBatch oldest = steps.planner().oldestInFlight().orElse(null);
        if (oldest == null) {
            timers.cancel(STEP);
        } else if (oldest.step() != awaited) {
            Duration patience = steps.patience(oldest);
            timers.startSingleTimer(STEP, new Scheduler.StepOverdue(oldest, patience), patience);
        }
        awaited = oldest == null ? 0 : oldest.step();
        Duration canary = settings.waits().canary();
        if (!steps.isIdle()) {
            timers.cancel(CANARY);
        } else if (canary.isPositive() && !timers.isTimerActive(CANARY)) {
            timers.startSingleTimer(CANARY, new Scheduler.CanaryDue(), unproven ? Duration.ofMillis(1) : canary);
        }
        unproven &= oldest == null;
    }

    /** What to do with an epoch. */
    sealed interface Advice {}

    /** Go on. */
    enum Stay implements Advice {
        STAY
    }

    /** There is a better one to be had; the reason is for people. */
    record Leave(String reason) implements Advice {}

    /**
     * It cannot go on.
     *
     * @param reason for people
     * @param link whether links between ranks are to blame, as far as one can see
     */
    record Lose(String reason, boolean link) implements Advice {}

    /**
     * Something is due or has been answered.
     *
     * @param calm whether another epoch costs no wait
     */
    Advice on(Scheduler.Watched watched, Formation formation, EpochSteps steps, boolean calm) {
        switch (watched) {
            case Scheduler.StepOverdue overdue
            when steps.planner().isInFlight(overdue.batch()) ->
                ask(findings -> new Scheduler.Doubted(overdue, findings));
            case Scheduler.Doubted doubted
            when steps.planner().isInFlight(doubted.overdue().batch()) -> {
                return judge(doubted, formation);
            }
            case Scheduler.LookDue() -> look(formation.epoch());
            case Scheduler.Looked(Epoch epoch, Placement.Findings findings)
            when epoch.equals(formation.epoch()) -> {
                looking = false;
                if (findings == null) {
                    return Stay.STAY;
                }
                steps.note(findings.ranks());
                return upkeep.note(findings, calm, steps.tokensHeld())
                        .<Advice>map(Leave::new)
                        .orElse(Stay.STAY);
            }
            case Scheduler.CanaryDue() -> {
                if (steps.isIdle()) {
                    steps.sendCanary(clients.nextSequenceId());
                }
            }
            case Scheduler.StepOverdue _, Scheduler.Doubted _, Scheduler.Looked _ -> {}
        }
        return Stay.STAY;
    }

    private Advice judge(Scheduler.Doubted doubted, Formation formation) {
        Scheduler.StepOverdue overdue = doubted.overdue();
        StepBatch batch = overdue.batch();
        return switch (doubt.judge(
                formation.epoch(), formation.plan(), batch.step(), overdue.waited(), doubted.findings())) {
            case StepDoubt.Late.LATE -> {
                timers.startSingleTimer(STEP, overdue, StepDoubt.AGAIN);
                yield Stay.STAY;
            }
            case StepDoubt.Lost lost ->
                new Lose(
                        "step %d of epoch %s (%d tokens) gave no result within %s; %s; %s"
                                .formatted(
                                        batch.step(),
                                        batch.epoch(),
                                        batch.tokens(),
                                        EpochSearch.seconds(overdue.waited()),
                                        formation.whoHostsWhat(),
                                        lost.reason()),
                        lost.link());
        };
    }

    private void look(Epoch epoch) {
        if (!looking && upkeep.isCurious(clients.size() > 0)) {
            looking = true;
            ask(findings -> new Scheduler.Looked(epoch, findings));
        }
    }

    private void ask(Function<Placement.@Nullable Findings, Scheduler.Command> message) {
        context.ask(
                Placement.Findings.class,
                placement,
                StepDoubt.WITHIN.multipliedBy(2),
                (ActorRef<Placement.Findings> replyTo) -> new Placement.Inquiry(
                        settings.model(),
                        settings.pipelineParallel(),
                        settings.tensorParallel(),
                        upkeep.wouldAvoid(),
                        StepDoubt.WITHIN,
                        replyTo),
                (findings, _) -> message.apply(findings));
    }
}
