package dev.troupe.serving;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.Peer;
import dev.troupe.stage.StageEvent;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepResult;
import dev.troupe.stage.TensorShard;
import java.time.Duration;
import java.util.List;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.PreRestart;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.Signal;
import org.apache.pekko.actor.typed.SupervisorStrategy;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * The actor that serves one model replica: gets an epoch, forms its stages, then turns generations into steps. It keeps
 * nothing that generations and guardians could not tell a new one.
 *
 * <p>When an epoch is lost (a rank, a node, a step without a result in time), all generations wait with the tokens they have,
 * a new epoch is sought, and its ranks compute them again from their tokens. One that was computed at the time is computed
 * alone until it gains a token; if that costs an epoch too, it ends. Without capacity for an epoch all wait for a while, then
 * end with what is missing. When another scheduler has taken the replica over, this one gives its generations back and stops.
 */
public final class Scheduler {
    /** What a scheduler understands. */
    public sealed interface Command {}

    /** What others ask of it, in any state. */
    sealed interface Request extends Command {}

    /** What it has asked for itself. */
    sealed interface Internal extends Command {}

    /** Compute a generation. Answered by {@link Accepted}, and in time by what it gives or why it failed. */
    public record Submit(Submission submission, ActorRef<Update> replyTo) implements Request {}

    /** Nobody wants the generation any more: its blocks are free when its steps in flight have retired. */
    public record Cancel(GenerationId id) implements Request {}

    /** One choice of the generation is complete, whatever its finish rule says. */
    public record EndChoice(GenerationId id, int choice) implements Request {}

    /** Are you there, and do you know this generation? Answered by {@link Accepted}, or {@link Released} if not. */
    public record Probe(GenerationId id, ActorRef<Update> replyTo) implements Request {}

    /** What have you done so far? */
    public record GetStats(ActorRef<SchedulerStats> replyTo) implements Request {}

    /** End all generations and stages and stop. Also the stop message of its cluster shard. */
    public enum Stop implements Request {
        INSTANCE
    }

    /** Whoever wanted something computed has ended. */
    record Gone(ActorRef<Update> replyTo) implements Request {}

    record PlacementAnswered(Placement.Outcome outcome) implements Internal {}

    record PlacementDue() implements Internal {}

    record FormingOverdue(Epoch epoch) implements Internal {}

    private record StageReported(StageEvent event) implements Internal {}

    private record StepDone(StepResult result) implements Internal {}

    /** What matters only while the epoch serves. */
    sealed interface Watched extends Internal {}

    record StepOverdue(StepBatch batch, Duration waited) implements Watched {}

    record Doubted(StepOverdue overdue, Placement.@Nullable Findings findings) implements Watched {}

    record LookDue() implements Watched {}

    record Looked(Epoch epoch, Placement.@Nullable Findings findings) implements Watched {}

    record CanaryDue() implements Watched {}

    /** What a scheduler tells a generation. */
    public sealed interface Update {
        /** Whose. */
        GenerationId id();
    }

    /** The scheduler knows the generation and can be watched. */
    public record Accepted(GenerationId id, ActorRef<Command> scheduler) implements Update {}

    /**
     * A step has given something.
     *
     * @param cachedTokens prompt tokens that were not computed for any of these choices, because their keys and values were
     *     there when it began
     */
    public record Advanced(GenerationId id, Epoch epoch, List<Output> outputs, int cachedTokens) implements Update {
        public Advanced {
            outputs = List.copyOf(outputs);
        }

        /** One for which all prompt tokens were computed. */
        public Advanced(GenerationId id, Epoch epoch, List<Output> outputs) {
            this(id, epoch, outputs, 0);
        }
    }

    /** The generation has ended without all of its tokens. */
    public record Failed(GenerationId id, GenerationFailure failure) implements Update {}

    /**
     * The scheduler does not compute the generation any more; another one can.
     *
     * @param successor issuer of the epochs of the scheduler that does now; 0 if there is none yet
     * @param reason for people
     */
    public record Released(GenerationId id, long successor, String reason) implements Update {}

    private static final int RESTARTS = 10;
    private static final Duration RESTARTS_WITHIN = Duration.ofMinutes(1);

    private final ActorContext<Command> context;
    private final SchedulerSettings settings;
    private final LongSupplier nanoTime;
    private final ActorRef<StageEvent> stageEvents;
    private final ActorRef<StepResult> results;

    private final Clients clients;
    private final Tally tally = new Tally();
    private @Nullable Formation formation;
    private @Nullable EpochSteps steps;

    private final Lookout lookout;
    private final EpochSearch search;

    private Scheduler(
            ActorContext<Command> context,
            TimerScheduler<Command> timers,
            SchedulerSettings settings,
            RecipientRef<Placement.Command> placement,
            LongSupplier nanoTime) {
        this.context = context;
        this.settings = settings;
        this.nanoTime = nanoTime;
        this.clients = new Clients(context, settings);
        this.lookout = new Lookout(context, timers, settings, placement, clients, nanoTime);
        this.search = new EpochSearch(context, timers, settings, placement, clients, lookout, nanoTime);
        this.stageEvents = context.messageAdapter(StageEvent.class, StageReported::new);
        this.results = context.messageAdapter(StepResult.class, StepDone::new);
    }

    /**
     * The behaviour of a scheduler. After a defect of its own it starts anew with the next epoch; what it was serving
     * ends.
     *
     * @param placement gives epochs
     * @param nanoTime a monotonic clock, in nanoseconds
     */
    public static Behavior<Command> create(
            SchedulerSettings settings, RecipientRef<Placement.Command> placement, LongSupplier nanoTime) {
        Behavior<Command> scheduler = Behaviors.setup(context ->
                Behaviors.withTimers(timers -> new Scheduler(context, timers, settings, placement, nanoTime).idle()));
        return Behaviors.supervise(scheduler)
                .onFailure(SupervisorStrategy.restart().withLimit(RESTARTS, RESTARTS_WITHIN));
    }

    /**
     * Waits for somebody who needs it. Any message starts the entity, also a late one to a scheduler that has yielded: taking
     * the replica over for that would take it from the scheduler that serves.
     */
    private Behavior<Command> idle() {
        return behavior(command -> switch (command) {
            case Submit _, GetStats _ -> {
                search.begin();
                onRequest((Request) command);
                yield seekEpoch();
            }
            case Request request -> onRequest(request);
            case Internal _ -> Behaviors.same();
        });
    }

    private Behavior<Command> seekEpoch() {
        search.ask();
        return behavior(this::placing);
    }

    private Behavior<Command> behavior(Function<Command, Behavior<Command>> state) {
        return Behaviors.receive((_, command) -> state.apply(command), (_, signal) -> onSignal(signal));
    }

    private Behavior<Command> placing(Command command) {
        return switch (command) {
            case Request request -> onRequest(request);
            case PlacementAnswered(Placement.Placed placed) -> {
                formation = search.form(placed, stageEvents);
                yield behavior(this::forming);
            }
            case PlacementAnswered(Placement.Superseded(Epoch by)) ->
                giveBack(
                        by.issuer(), "epoch %s of another scheduler has superseded %s".formatted(by, search.highest()));
            case PlacementAnswered(Placement.Withdrawn(String reason)) -> giveBack(0, reason);
            case PlacementAnswered(Placement.NotPlaced refused) -> {
                context.getLog().warn("model {} has no replica: {}", settings.model(), refused.reason());
                search.refused(refused.reason());
                yield Behaviors.same();
            }
            case PlacementDue() -> seekEpoch();
            case StepDone(StepResult _) -> dropResult();
            case FormingOverdue _, StageReported _, Watched _ -> Behaviors.same();
        };
    }

    private Behavior<Command> forming(Command command) {
        Formation current = required(formation, "formation");
        return switch (command) {
            case Request request -> onRequest(request);
            case StageReported(StageEvent event) when !event.epoch().equals(current.epoch()) -> Behaviors.same();
            case StageReported(StageEvent.Formed event) -> {
                current.noteFormed(event, results);
                yield Behaviors.same();
            }
            case StageReported(StageEvent.Ready event) -> {
                current.noteReady(event);
                yield current.isReady() ? serve(current) : Behaviors.same();
            }
            case StageReported(StageEvent.Lost lost) -> loseEpoch(lost.reason(), Loss.NAMED);
            case FormingOverdue(Epoch epoch)
            when epoch.equals(current.epoch()) -> loseEpoch(search.overdue(current), Loss.STALL);
            case StepDone(StepResult _) -> dropResult();
            case FormingOverdue _, PlacementAnswered _, PlacementDue _, Watched _ -> Behaviors.same();
        };
    }

    private Behavior<Command> serving(Command command) {
        Formation current = required(formation, "formation");
        EpochSteps running = required(steps, "steps");
        return switch (command) {
            case Request request -> onRequest(request);
            case StepDone(StepResult result) -> running.planner().expects(result) ? onResult(result) : dropResult();
            case StageReported(StageEvent.Lost lost)
            when lost.epoch().equals(current.epoch()) -> {
                Loss loss = Loss.of(lost);
                search.explained(loss == Loss.LINK ? current.node(lost.stage(), lost.rank()) : null, lost.reason());
                yield loseEpoch(lost.reason(), loss);
            }
            case Watched watched -> follow(lookout.on(watched, current, running, search.isCalm()));
            case StageReported _, FormingOverdue _, PlacementAnswered _, PlacementDue _ -> Behaviors.same();
        };
    }

    private Behavior<Command> follow(Lookout.Advice advice) {
        return switch (advice) {
            case Lookout.Stay.STAY -> {
                pump();
                yield Behaviors.same();
            }
            case Lookout.Leave(String reason) -> leaveEpoch(reason);
            case Lookout.Lose(String reason, boolean link) -> {
                search.stalled(link);
                yield loseEpoch(reason, Loss.STALL);
            }
        };
    }

    private static <T> T required(@Nullable T value, String name) {
        if (value == null) {
            throw new IllegalStateException("no " + name + " in a state that has one");
        }
        return value;
    }

    private Behavior<Command> onRequest(Request request) {
        switch (request) {
            case Submit(Submission submission, ActorRef<Update> replyTo) -> {
                if (steps != null) {
                    steps.endCanary();
                }
                clients.submit(submission, replyTo);
                search.joined();
            }
            case Cancel(GenerationId id) -> clients.cancel(id);
            case Gone(ActorRef<Update> replyTo) -> clients.cancel(replyTo);
            case EndChoice(GenerationId id, int choice) -> clients.endChoice(id, choice);
            case Probe(GenerationId id, ActorRef<Update> replyTo) -> clients.probe(id, replyTo);
            case GetStats(ActorRef<SchedulerStats> replyTo) ->
                replyTo.tell(tally.stats(
                        search.highest(), clients.size(), steps, formation == null ? null : formation.plan()));
            case Stop.INSTANCE -> {
                return Behaviors.stopped();
            }
        }
        pump();
        return Behaviors.same();
    }

    private Behavior<Command> serve(Formation ready) {
        search.found();
        EpochSteps fresh = new EpochSteps(ready.epoch(), ready.plan(), settings, nanoTime);
        steps = fresh;
        context.getLog().info("model {} is served in epoch {}", settings.model(), ready.epoch());
        lookout.begin(ready.epoch(), ready.plan());
        clients.serveBy(fresh);
        pump();
        return behavior(this::serving);
    }

    /** Sends all steps that can be sent, and waits for the oldest in flight. */
    private void pump() {
        EpochSteps current = steps;
        if (current == null) {
            return;
        }
        List<Peer> entrance = required(formation, "formation").entrance();
        for (StepBatch batch : current.plan()) {
            entrance.forEach(peer -> peer.ref().tell(new TensorShard.Execute(batch)));
        }
        lookout.await(current);
    }

    /**
     * The ranks get their next step before generations hear of this one: they wait for it. What a generation's end takes with
     * it may be in that step for nothing.
     */
    private Behavior<Command> onResult(StepResult result) {
        List<StepPlanner.Progress> progress = required(steps, "steps").retire(result);
        pump();
        clients.deliver(result.epoch(), progress);
        return Behaviors.same();
    }

    private Behavior<Command> dropResult() {
        tally.dropped();
        return Behaviors.same();
    }

    /** @param loss what is known of it */
    private Behavior<Command> loseEpoch(String reason, Loss loss) {
        context.getLog().warn("model {} lost epoch {}: {}", settings.model(), search.highest(), reason);
        EpochSteps lost = endEpoch();
        tally.lost(lost);
        clients.lose(reason, loss);
        Duration wait = search.lost(lost != null && lost.hasServed(), reason);
        if (wait.isZero()) {
            return seekEpoch();
        }
        search.askAfter(wait);
        return behavior(this::placing);
    }

    /** There is something better to be had than the epoch that serves. */
    private Behavior<Command> leaveEpoch(String reason) {
        context.getLog().warn("model {} leaves epoch {}: {}", settings.model(), search.highest(), reason);
        EpochSteps left = endEpoch();
        tally.left(left);
        clients.pause();
        search.left();
        return seekEpoch();
    }

    /** Stops the ranks of the current epoch; returns its steps, if it has served. */
    private @Nullable EpochSteps endEpoch() {
        required(formation, "formation").stop();
        EpochSteps ended = steps;
        formation = null;
        steps = null;
        search.settle();
        lookout.end();
        return ended;
    }

    /** Another scheduler may compute what is here: that of {@code successor}, or 0 if it is not known. */
    private Behavior<Command> giveBack(long successor, String reason) {
        context.getLog().info("model {}: {}", settings.model(), reason);
        clients.releaseAll(successor, reason);
        return Behaviors.stopped();
    }

    private Behavior<Command> onSignal(Signal signal) {
        if (signal instanceof PostStop || signal instanceof PreRestart) {
            clients.releaseAll(0, "the scheduler of model %s has stopped".formatted(settings.model()));
            // When it ends, its stages see that by themselves. A message to one that has not formed would wait in a
            // region that is leaving, and hold up its node's end.
            if (formation != null && signal instanceof PreRestart) {
                formation.stop();
            }
        }
        return Behaviors.same();
    }
}
