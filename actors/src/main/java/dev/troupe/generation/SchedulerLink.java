package dev.troupe.generation;

import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Router;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.Submission;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.IntSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * A generation's tie to the scheduler that computes it: finds one, asks it whether it is there, and moves to another one with
 * all tokens when it is not. Part of the generation's actor.
 */
final class SchedulerLink {
    private static final String SEEK = "seek";
    private static final String TICK = "tick";
    private static final Duration SEEK_EVERY = Duration.ofMillis(100);

    /** Questions that a scheduler may leave unanswered. */
    private static final int QUESTIONS = 3;

    /** Schedulers that may be lost with a generation in a row, with no token gained in between. */
    private static final int LOSSES = 3;

    /** Moves of any kind in a row, with no token gained in between: nobody keeps it. */
    private static final int MOVES = 16;

    private final ActorContext<Generation.Command> context;
    private final TimerScheduler<Generation.Command> timers;
    private final Generation.Settings settings;
    private final GenerationId id;
    private final String model;
    private final Router router;
    private final IntSupplier drawn;
    private final BiFunction<GenerationId, Integer, Submission> submission;
    private final ActorRef<Scheduler.Update> updates;

    private Router.@Nullable Way way;

    /** How the scheduler knows it: by another name for every submission, so that a late word of an earlier one is known as such. */
    private GenerationId submitted;

    private int submissions;
    private @Nullable ActorRef<Scheduler.Command> watched;
    private Duration sought = Duration.ZERO;
    private int unanswered;
    private String left = "";
    private long preferred;
    private int movedAt = -1;
    private int moves;
    private int losses;

    /**
     * @param drawn tokens that the generation has
     * @param submission what to submit, by its name and the number of losses in a row
     * @param updates where schedulers answer
     */
    SchedulerLink(
            ActorContext<Generation.Command> context,
            TimerScheduler<Generation.Command> timers,
            Generation.Settings settings,
            GenerationId id,
            String model,
            Router router,
            IntSupplier drawn,
            BiFunction<GenerationId, Integer, Submission> submission,
            ActorRef<Scheduler.Update> updates) {
        this.context = context;
        this.timers = timers;
        this.settings = settings;
        this.id = id;
        this.model = model;
        this.router = router;
        this.drawn = drawn;
        this.submission = submission;
        this.updates = updates;
        this.submitted = id;
    }

    /** Begins; the result is why the generation must end, if it must. */
    Optional<GenerationFailure> open() {
        timers.startTimerWithFixedDelay(SEEK, new Generation.Seek(), SEEK_EVERY);
        timers.startTimerWithFixedDelay(
                TICK, new Generation.Tick(), settings.schedulerSilence().dividedBy(QUESTIONS + 1L));
        return look();
    }

    /** The generation needs no scheduler any more. */
    void close() {
        timers.cancel(SEEK);
        timers.cancel(TICK);
        leave();
    }

    /** Looks where the generation can go, and whether the node it went to is still there. */
    Optional<GenerationFailure> look() {
        Router.Way current = way;
        return switch (router.scheduler(model)) {
            case Router.Found(List<Router.Way> ways) -> {
                if (current == null) {
                    submit(best(ways));
                } else if (ways.stream().noneMatch(other -> other.node().equals(current.node()))) {
                    yield lost("its scheduler's node %s is lost".formatted(current.node()));
                }
                yield Optional.empty();
            }
            case Router.Nobody() ->
                failure(
                        GenerationFailure.Kind.INVALID,
                        "nobody serves model %s; ask for one that is registered".formatted(model));
            case Router.Barred(String reason) ->
                failure(
                        GenerationFailure.Kind.NO_CAPACITY,
                        "model %s cannot be served from here: %s".formatted(model, reason));
            case Router.NotYet(String missing) -> current == null ? notYet(missing) : Optional.empty();
        };
    }

    private Router.Way best(List<Router.Way> ways) {
        return ways.stream()
                .filter(other -> preferred != 0 && other.issuer() == preferred)
                .findFirst()
                .or(() -> ways.stream()
                        .filter(other -> !other.node().equals(left))
                        .findFirst())
                .orElseGet(ways::getFirst);
    }

    /** While the cluster forms there is no scheduler yet: a request that comes early waits for it. */
    private Optional<GenerationFailure> notYet(String missing) {
        if (sought.compareTo(settings.schedulerComing()) < 0) {
            sought = sought.plus(SEEK_EVERY);
            context.getLog().debug("generation {} waits: {}", id, missing);
            return Optional.empty();
        }
        return failure(
                GenerationFailure.Kind.NO_CAPACITY,
                "model %s could not be served within %s s: %s"
                        .formatted(model, settings.schedulerComing().toMillis() / 1000.0, missing));
    }

    private void submit(Router.Way to) {
        way = to;
        sought = Duration.ZERO;
        unanswered = 0;
        submissions++;
        submitted = submissions == 1 ? id : new GenerationId(id.value() + "." + submissions, id.slot());
        int inARow = drawn.getAsInt() == movedAt ? losses : 0;
        tell(new Scheduler.Submit(submission.apply(submitted, inARow), updates));
    }

    /** Whether {@code update} is about what was submitted last. */
    boolean isCurrent(Scheduler.Update update) {
        return update.id().equals(submitted);
    }

    /** Nobody wants any more of it. */
    void cancel() {
        tell(new Scheduler.Cancel(submitted));
    }

    /** One choice is complete. */
    void endChoice(int choice) {
        tell(new Scheduler.EndChoice(submitted, choice));
    }

    private void tell(Scheduler.Command command) {
        if (way != null) {
            way.scheduler().tell(command);
        }
    }

    /**
     * Something was lost on the way: what the scheduler computes from now on does not follow what is here. It is asked to
     * begin again with what is here.
     */
    Optional<GenerationFailure> repeat(String what) {
        Router.Way same = way;
        cancel();
        Optional<GenerationFailure> failure = move(what);
        if (failure.isEmpty() && same != null) {
            submit(same);
        }
        return failure;
    }

    /** The scheduler has said something. */
    void heard() {
        unanswered = 0;
    }

    /** The scheduler can be watched. */
    void accepted(ActorRef<Scheduler.Command> ref) {
        if (watched == null && way != null) {
            watched = ref;
            context.watchWith(ref, new Generation.SchedulerGone(ref));
        }
    }

    /** A watched scheduler has ended. */
    Optional<GenerationFailure> ended(ActorRef<Scheduler.Command> ref) {
        return ref.equals(watched) ? lost("its scheduler%s has ended".formatted(where())) : Optional.empty();
    }

    /** Asks whether the scheduler is there. */
    Optional<GenerationFailure> ask() {
        if (way == null) {
            return Optional.empty();
        }
        if (unanswered < QUESTIONS) {
            unanswered++;
            tell(new Scheduler.Probe(submitted, updates));
            return Optional.empty();
        }
        return lost("its scheduler%s has not answered for %s s"
                .formatted(where(), settings.schedulerSilence().toMillis() / 1000.0));
    }

    /** The scheduler has given it back. */
    Optional<GenerationFailure> released(Scheduler.Released released) {
        preferred = released.successor();
        return move(released.reason());
    }

    private Optional<GenerationFailure> lost(String what) {
        preferred = 0;
        losses = drawn.getAsInt() == movedAt ? losses + 1 : 1;
        if (losses > LOSSES) {
            return failure(
                    GenerationFailure.Kind.LOST,
                    "%s; %d schedulers in a row were lost with the generation, which had %d completion tokens"
                            .formatted(what, losses, drawn.getAsInt()));
        }
        cancel();
        Optional<GenerationFailure> failure = move(what);
        return failure.isPresent() ? failure : look();
    }

    /** Leaves the scheduler; the next look finds another one. */
    private Optional<GenerationFailure> move(String why) {
        if (movedAt != drawn.getAsInt()) {
            movedAt = drawn.getAsInt();
            moves = 0;
        }
        moves++;
        if (moves > MOVES) {
            return failure(
                    GenerationFailure.Kind.LOST,
                    "%s; the generation was moved %d times in a row and had %d completion tokens"
                            .formatted(why, moves, movedAt));
        }
        context.getLog().info("generation {} moves with {} tokens: {}", id, movedAt, why);
        left = way == null ? "" : way.node();
        way = null;
        unanswered = 0;
        leave();
        return Optional.empty();
    }

    /** Hears no more of the scheduler. */
    private void leave() {
        if (watched != null) {
            context.unwatch(watched);
            watched = null;
        }
    }

    /** Names the scheduler's node, as far as it is known. */
    private String where() {
        return way == null || way.node().isEmpty() ? "" : " on node " + way.node();
    }

    private static Optional<GenerationFailure> failure(GenerationFailure.Kind kind, String reason) {
        return Optional.of(new GenerationFailure(kind, reason));
    }
}
