package dev.troupe.generation;

import dev.troupe.serving.FinishReason;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Output;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.Submission;
import dev.troupe.stage.Epoch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/** A {@link Generation} that has its request: first it runs, then it has ended and only its log is read. */
final class Ownership {
    static final String LINGER = "linger";
    private static final String DEADLINE = "deadline";
    private static final String LOG = "log";
    private static final Duration LOG_EVERY = Duration.ofMillis(200);
    private static final Duration LEAST_DEADLINE = Duration.ofMillis(1);

    private final ActorContext<Generation.Command> context;
    private final TimerScheduler<Generation.Command> timers;
    private final Generation.Settings settings;
    private final GenerationId id;
    private final TokenLog.Opening opening;
    private final GenerationRequest request;
    private final TokenLog log;
    private final Transcript transcript;
    private final Delivery delivery;
    private final Behavior<Generation.Command> running = Behaviors.receiveMessage(this::running);
    private final Behavior<Generation.Command> ended = Behaviors.receiveMessage(this::ended);

    private final SchedulerLink scheduler;
    private final List<ActorRef<Generation.Started>> starters = new ArrayList<>();
    private final List<ActorRef<Generation.Resumption>> resumers = new ArrayList<>();
    private @Nullable GenerationFailure failure;
    private Epoch epoch = Epoch.NONE;
    private long stale;

    /** Prompt tokens that were not computed, as the first scheduler that gave something has said; null before that. */
    private @Nullable Integer cachedTokens;

    Ownership(
            ActorContext<Generation.Command> context,
            TimerScheduler<Generation.Command> timers,
            Generation.Setup setup,
            GenerationId id,
            TokenLog.Opening opening) {
        this.context = context;
        this.timers = timers;
        this.settings = setup.settings();
        this.id = id;
        this.opening = opening;
        this.request = opening.request();
        this.transcript = new Transcript(request);
        this.log = setup.logs().open(opening);
        this.delivery = new Delivery(id, log, settings.entriesPerEvent());
        this.scheduler = new SchedulerLink(
                context,
                timers,
                settings,
                id,
                request.model(),
                setup.router(),
                transcript::drawn,
                this::submission,
                context.messageAdapter(Scheduler.Update.class, Generation.FromScheduler::new));
    }

    Behavior<Generation.Command> begin(ActorRef<Generation.Started> replyTo) {
        starters.add(replyTo);
        return begin();
    }

    /** Goes on with a log that another owner began. */
    Behavior<Generation.Command> resume(List<ActorRef<Generation.Resumption>> replyTo) {
        resumers.addAll(replyTo);
        transcript.restore(opening.entries()).forEach(log::append);
        cachedTokens = opening.entries().isEmpty() ? null : 0;
        if (transcript.hasFailed()) {
            failure = new GenerationFailure(
                    GenerationFailure.Kind.LOST,
                    "generation %s had failed when the front end that owned it was lost, and the reason with it: send the request again"
                            .formatted(opening.id()));
        }
        return begin();
    }

    private Behavior<Generation.Command> begin() {
        Duration left = request.deadline().minus(opening.age());
        timers.startSingleTimer(
                DEADLINE, new Generation.Overdue(), left.compareTo(LEAST_DEADLINE) < 0 ? LEAST_DEADLINE : left);
        timers.startTimerWithFixedDelay(LOG, new Generation.LogCheck(), LOG_EVERY);
        if (!transcript.isFinished()) {
            scheduler.open().ifPresent(this::fail);
        }
        return advance();
    }

    private Submission submission(GenerationId submitted, int losses) {
        return new Submission(
                submitted,
                request.traceId(),
                request.prompt(),
                transcript.open(),
                request.sampling(),
                request.finish(),
                request.returns(),
                losses,
                request.cacheSalt(),
                request.precedence());
    }

    private Behavior<Generation.Command> running(Generation.Command command) {
        return switch (command) {
            case Generation.Reading reading -> onReading(reading);
            case Generation.Computing computing -> onComputing(computing);
        };
    }

    private Behavior<Generation.Command> ended(Generation.Command command) {
        return switch (command) {
            case Generation.Reading reading -> onReading(reading);
            case Generation.Overdue _, Generation.Lingered _, Generation.Cancel _ -> end();
            case Generation.Computing _ -> Behaviors.same();
        };
    }

    private Behavior<Generation.Command> onComputing(Generation.Computing command) {
        switch (command) {
            case Generation.FromScheduler(Scheduler.Update update) -> onUpdate(update);
            case Generation.SchedulerGone(ActorRef<Scheduler.Command> gone) ->
                scheduler.ended(gone).ifPresent(this::fail);
            case Generation.Seek _ -> scheduler.look().ifPresent(this::fail);
            case Generation.Tick _ -> scheduler.ask().ifPresent(this::fail);
            case Generation.End(int choice, int completionTokens) -> endChoice(choice, completionTokens);
            case Generation.Cancel _ -> cancel();
            case Generation.Lingered _ -> {
                cancel();
                return end();
            }
            case Generation.Overdue _ -> overdue();
        }
        return advance();
    }

    private void onUpdate(Scheduler.Update update) {
        if (!scheduler.isCurrent(update)) {
            stale++;
            return;
        }
        scheduler.heard();
        switch (update) {
            case Scheduler.Accepted(GenerationId _, ActorRef<Scheduler.Command> ref) -> scheduler.accepted(ref);
            case Scheduler.Released released -> scheduler.released(released).ifPresent(this::fail);
            case Scheduler.Failed(GenerationId _, GenerationFailure reason) -> fail(reason);
            case Scheduler.Advanced advanced when advanced.epoch().compareTo(epoch) < 0 -> stale++;
            case Scheduler.Advanced advanced -> {
                epoch = advanced.epoch();
                cachedTokens = cachedTokens == null ? advanced.cachedTokens() : cachedTokens;
                advanced.outputs().forEach(this::take);
            }
        }
    }

    private void take(Output output) {
        switch (transcript.take(output)) {
            case Transcript.Verdict.Enters(Optional<FinishReason> finish) -> {
                log.append(new LogEntry.Computed(epoch, output));
                finish.ifPresent(reason -> log.append(
                        new LogEntry.Finished(output.choice(), transcript.completionTokens(output.choice()), reason)));
            }
            case Transcript.Verdict.Repeats _ -> {}
            case Transcript.Verdict.Misses(String what) ->
                scheduler.repeat(what).ifPresent(this::fail);
            case Transcript.Verdict.Contradicts(GenerationFailure defect) -> {
                scheduler.cancel();
                fail(defect);
            }
        }
    }

    private void endChoice(int choice, int completionTokens) {
        transcript.end(choice, completionTokens, FinishReason.STOP).ifPresent(finished -> {
            log.append(finished);
            scheduler.endChoice(choice);
        });
    }

    private void cancel() {
        scheduler.cancel();
        endAll(FinishReason.CANCELLED);
    }

    private void overdue() {
        scheduler.cancel();
        String reason = "it was not complete %s s after its start, which is its deadline; it had %d completion tokens"
                .formatted(seconds(request.deadline()), transcript.drawn());
        fail(new GenerationFailure(GenerationFailure.Kind.DEADLINE, reason));
        // The subscriber has as long to take the end as the first one had to come.
        timers.startSingleTimer(DEADLINE, new Generation.Overdue(), settings.firstSubscriber());
    }

    private void fail(GenerationFailure reason) {
        if (!transcript.isFinished()) {
            context.getLog().warn("generation {} (trace {}) failed: {}", id, request.traceId(), reason.reason());
            failure = reason;
            endAll(FinishReason.ERROR);
        }
    }

    private void endAll(FinishReason reason) {
        for (int choice = 0; choice < request.n(); choice++) {
            transcript.end(choice, transcript.completionTokens(choice), reason).ifPresent(log::append);
        }
    }

    private static double seconds(Duration duration) {
        return duration.toMillis() / 1000.0;
    }

    private Behavior<Generation.Command> onReading(Generation.Reading command) {
        switch (command) {
            case Generation.Start(GenerationRequest _, ActorRef<Generation.Started> replyTo) -> starters.add(replyTo);
            case Generation.Resume(GenerationId _, GenerationRequest _, ActorRef<Generation.Resumption> replyTo) -> {
                log.confirm();
                resumers.add(replyTo);
            }
            case Generation.Subscribe subscribe -> onSubscribe(subscribe);
            case Generation.Demand(long subscription, int events) -> {
                if (delivery.isCurrent(subscription)) {
                    delivery.demand(events);
                }
            }
            case Generation.Unsubscribe(long subscription) -> {
                return leave(subscription);
            }
            case Generation.SubscriberGone(long subscription) -> {
                return leave(subscription);
            }
            case Generation.FromKeeper(LogKeeper.Answer answer) -> log.on(answer);
            case Generation.LogCheck _ -> log.check();
            case Generation.SuccessionOverdue _ -> {}
            case Generation.GetStatus(ActorRef<Generation.Status> replyTo) ->
                replyTo.tell(new Generation.Status(
                        id, epoch, log.size(), transcript.isFinished(), stale, transcript.repeated()));
            case Generation.Stop _ -> {
                return leave("its node leaves the cluster");
            }
        }
        return advance();
    }

    private void onSubscribe(Generation.Subscribe wanted) {
        if (wanted.from() < 0 || wanted.from() > log.size()) {
            String reason = "asked for entry %d of the log of generation %s, expected 0 to %d"
                    .formatted(wanted.from(), id, log.size());
            refuse(wanted.subscriber(), GenerationFailure.Kind.INVALID, reason);
            return;
        }
        ActorRef<GenerationEvent> before = delivery.subscriber();
        if (before != null) {
            context.unwatch(before);
            refuse(before, GenerationFailure.Kind.SUPERSEDED, "a newer subscriber has taken over");
        }
        timers.cancel(LINGER);
        context.watchWith(wanted.subscriber(), new Generation.SubscriberGone(wanted.subscription()));
        delivery.begin(wanted.subscriber(), wanted.subscription(), wanted.from(), wanted.demand());
    }

    private void refuse(ActorRef<GenerationEvent> subscriber, GenerationFailure.Kind kind, String reason) {
        subscriber.tell(new GenerationEvent.Failed(id, new GenerationFailure(kind, reason)));
    }

    private Behavior<Generation.Command> leave(long subscription) {
        if (!delivery.isCurrent(subscription)) {
            return Behaviors.same();
        }
        endDelivery();
        if (!request.linger().isZero()) {
            return Behaviors.same();
        }
        if (!transcript.isFinished()) {
            cancel();
        }
        return end();
    }

    /** Ends, and leaves the log with its other holder: another front end can go on with it. */
    private Behavior<Generation.Command> leave(String why) {
        scheduler.cancel();
        String reason =
                "generation %s does not go on here: %s; resume it at another front end".formatted(opening.id(), why);
        ActorRef<GenerationEvent> subscriber = delivery.subscriber();
        if (subscriber != null) {
            refuse(subscriber, GenerationFailure.Kind.SUPERSEDED, reason);
        }
        GenerationFailure superseded = new GenerationFailure(GenerationFailure.Kind.SUPERSEDED, reason);
        resumers.forEach(client -> client.tell(new Generation.NotResumed(id, superseded)));
        return Behaviors.stopped();
    }

    /** Ends, and nobody needs the log any more. */
    private Behavior<Generation.Command> end() {
        log.close();
        return Behaviors.stopped();
    }

    private void answerWhoWaits() {
        starters.forEach(client -> client.tell(new Generation.Started(id, context.getSelf())));
        starters.clear();
        resumers.forEach(client -> client.tell(new Generation.Resumed(id, log.size(), context.getSelf())));
        resumers.clear();
    }

    private void endDelivery() {
        ActorRef<GenerationEvent> subscriber = delivery.subscriber();
        if (subscriber != null) {
            context.unwatch(subscriber);
        }
        delivery.end();
        timers.startSingleTimer(LINGER, new Generation.Lingered(), request.linger());
    }

    /** Tells what can be told, and moves to the state that this leaves the generation in. */
    private Behavior<Generation.Command> advance() {
        log.flush();
        Optional<OwnerTerm> successor = log.takenBy();
        if (successor.isPresent()) {
            return leave("the owner of term %s has taken it over".formatted(successor.get()));
        }
        if (log.isHeld()) {
            answerWhoWaits();
        }
        boolean allTold = delivery.deliver();
        if (!transcript.isFinished()) {
            return running;
        }
        scheduler.close();
        ActorRef<GenerationEvent> subscriber = delivery.subscriber();
        if (allTold && subscriber != null) {
            subscriber.tell(lastEvent());
            endDelivery();
            if (request.linger().isZero()) {
                return end();
            }
        }
        return ended;
    }

    private GenerationEvent lastEvent() {
        return failure == null
                ? new GenerationEvent.Ended(
                        id, request.prompt().size(), transcript.drawn(), cachedTokens == null ? 0 : cachedTokens)
                : new GenerationEvent.Failed(id, failure);
    }
}
