package dev.troupe.serving;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.StageEvent;
import java.time.Duration;
import java.util.function.LongSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * How a scheduler comes to its next epoch: asks for a placement, again and again if need be, and has its stages formed. Remembers
 * by what earlier epochs were lost. Part of the scheduler's actor.
 */
final class EpochSearch {
    private static final String TIMER = "wait";

    /** Epochs in a row lost before their first result, after which nobody is left to wait for the next. */
    private static final int FRUITLESS = 4;

    /** Stalls in a row after which links between ranks seem broken: all ranks are then placed beside the scheduler. */
    private static final int STALLS = 2;

    private final ActorContext<Scheduler.Command> context;
    private final TimerScheduler<Scheduler.Command> timers;
    private final SchedulerSettings settings;
    private final RecipientRef<Placement.Command> placement;
    private final Clients clients;
    private final Lookout lookout;
    private final LongSupplier nanoTime;
    private final EpochPace pace;
    private Epoch highest = Epoch.NONE;

    /** Since when there has been no epoch, in nanoseconds of the clock. */
    private long unplacedSince;

    /** Epochs in a row that ended because a step gave no result, and nobody said why. */
    private int stalls;

    /** A node behind a lost link: if the next epoch is on it, it is well. */
    private record Doubt(String node, String reason) {}

    private @Nullable Doubt doubted;

    /** Why nobody need wait for an epoch any more; null while it is worth it. */
    private @Nullable String noCapacity;

    /**
     * @param placement gives epochs
     * @param lookout knows slots that a placement avoids
     * @param nanoTime a monotonic clock, in nanoseconds
     */
    EpochSearch(
            ActorContext<Scheduler.Command> context,
            TimerScheduler<Scheduler.Command> timers,
            SchedulerSettings settings,
            RecipientRef<Placement.Command> placement,
            Clients clients,
            Lookout lookout,
            LongSupplier nanoTime) {
        this.context = context;
        this.timers = timers;
        this.settings = settings;
        this.placement = placement;
        this.clients = clients;
        this.lookout = lookout;
        this.nanoTime = nanoTime;
        this.pace = new EpochPace(settings.waits().retry(), nanoTime);
        this.unplacedSince = nanoTime.getAsLong();
    }

    /** The highest epoch so far. */
    Epoch highest() {
        return highest;
    }

    /** Whether an epoch may be given up of one's own accord. */
    boolean isCalm() {
        return pace.isCalm();
    }

    /** From now on somebody waits for an epoch. */
    void begin() {
        unplacedSince = nanoTime.getAsLong();
    }

    /** Asks for a placement; {@link Scheduler.PlacementAnswered} comes in any case. */
    void ask() {
        context.ask(
                Placement.Outcome.class,
                placement,
                settings.waits().placement(),
                (ActorRef<Placement.Outcome> replyTo) -> new Placement.Request(
                        settings.model(),
                        settings.replica(),
                        settings.pipelineParallel(),
                        settings.tensorParallel(),
                        highest,
                        stalls >= STALLS,
                        lookout.avoided(),
                        replyTo),
                (outcome, failure) -> new Scheduler.PlacementAnswered(
                        outcome != null
                                ? outcome
                                : new Placement.NotPlaced("no answer about placement within "
                                        + seconds(settings.waits().placement()))));
    }

    /** There is no placement now; {@link Scheduler.PlacementDue} comes after a while. If that goes on for long, all who wait end. */
    void refused(String reason) {
        Duration waited = Duration.ofNanos(nanoTime.getAsLong() - unplacedSince);
        if (waited.compareTo(settings.waits().capacity()) >= 0) {
            giveUp(reason);
        }
        askAfter(settings.waits().retry());
    }

    /** Lets {@link Scheduler.PlacementDue} come. */
    void askAfter(Duration wait) {
        timers.startSingleTimer(TIMER, new Scheduler.PlacementDue(), wait);
    }

    /** Ends all that wait, and all that come before there is an epoch. */
    private void giveUp(String reason) {
        noCapacity = reason;
        clients.failAll(reason);
    }

    /** Somebody has come: waits too, or ends if nobody need wait any more. */
    void joined() {
        if (noCapacity != null) {
            clients.failAll(noCapacity);
        }
    }

    /**
     * Has the stages of a placement formed; {@link Scheduler.FormingOverdue} comes unless {@link #settle} is called before.
     *
     * @param events gets what becomes of them
     * @throws IllegalStateException if the epoch is not above all earlier ones
     */
    Formation form(Placement.Placed placed, ActorRef<StageEvent> events) {
        if (placed.epoch().compareTo(highest) <= 0) {
            throw new IllegalStateException(
                    "placement gave epoch %s, expected one above %s".formatted(placed.epoch(), highest));
        }
        highest = placed.epoch();
        Formation next = new Formation(placed.epoch(), placed.plan(), placed.stages());
        Doubt doubt = doubted;
        if (doubt != null) {
            doubted = null;
            clients.explain(!placed.alive().contains(doubt.node()), doubt.reason());
        }
        next.form(events);
        timers.startSingleTimer(
                TIMER,
                new Scheduler.FormingOverdue(next.epoch()),
                settings.waits().forming());
        return next;
    }

    /** Why an epoch is lost that was not ready in time. */
    String overdue(Formation current) {
        return "the replica was not ready within %s; %s"
                .formatted(seconds(settings.waits().forming()), current.whoHostsWhat());
    }

    /** Nothing is waited for: the epoch is over. */
    void settle() {
        timers.cancel(TIMER);
    }

    /** The epoch serves. */
    void found() {
        settle();
        noCapacity = null;
    }

    /** A step gave no result; whether the link to whoever ought to give it may be why. */
    void stalled(boolean link) {
        stalls += link ? 1 : 0;
    }

    /**
     * Somebody has said why the epoch is lost.
     *
     * @param node behind the lost link; null if it was none
     */
    void explained(@Nullable String node, String reason) {
        stalls = 0;
        doubted = node == null ? null : new Doubt(node, reason);
    }

    /**
     * The epoch is lost. If it is one of many in a row that have not served, all who wait end.
     *
     * @param served whether it had given results
     * @return how long to wait before the next is sought
     */
    Duration lost(boolean served, String reason) {
        if (served) {
            begin();
        }
        Duration wait = pace.lost(served);
        if (pace.fruitless() >= FRUITLESS) {
            giveUp("%d epochs in a row were lost before they gave a result, the last one: %s"
                    .formatted(pace.fruitless(), reason));
        }
        return wait;
    }

    /** The epoch is left for something better. */
    void left() {
        begin();
        pace.lost(true);
        stalls = Math.min(stalls, STALLS - 1);
    }

    static String seconds(Duration duration) {
        return duration.toMillis() / 1000.0 + " s";
    }
}
