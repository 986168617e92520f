package dev.troupe.generation;

import dev.troupe.serving.FinishReason;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Output;
import dev.troupe.serving.Router;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.Submission;
import dev.troupe.stage.Epoch;
import java.time.Duration;
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

    private final ActorContext<Generation.Command> context;
    private final TimerScheduler<Generation.Command> timers;
    private final Generation.Settings settings;
    private final GenerationId id;
    private final GenerationRequest request;
    private final TokenLog log;
    private final Transcript transcript;
    private final Delivery delivery;
    private final Behavior<Generation.Command> running = Behaviors.receiveMessage(this::running);
    private final Behavior<Generation.Command> ended = Behaviors.receiveMessage(this::ended);

    private final SchedulerLink scheduler;
    private @Nullable GenerationFailure failure;
    private Epoch epoch = Epoch.NONE;
    private long stale;

    Ownership(
            ActorContext<Generation.Command> context,
            TimerScheduler<Generation.Command> timers,
            Generation.Settings settings,
            GenerationId id,
            GenerationRequest request,
            Router router,
            TokenLog.Factory logs) {
        this.context = context;
        this.timers = timers;
        this.settings = settings;
        this.id = id;
        this.request = request;
        this.transcript = new Transcript(request);
        ActorRef<Generation.Command> self = context.getSelf();
        this.log = logs.open(id, entries -> self.tell(new Generation.Durable(entries)));
        this.delivery = new Delivery(id, log, settings.entriesPerEvent());
        this.scheduler = new SchedulerLink(
                context,
                timers,
                settings,
                id,
                request.model(),
                router,
                transcript::drawn,
                this::submission,
                context.messageAdapter(Scheduler.Update.class, Generation.FromScheduler::new));
    }

    Behavior<Generation.Command> begin() {
        timers.startSingleTimer(DEADLINE, new Generation.Overdue(), request.deadline());
        scheduler.open().ifPresent(this::fail);
        return advance();
    }

    private Submission submission(int losses) {
        return new Submission(
                id,
                request.traceId(),
                request.prompt(),
                transcript.open(),
                request.sampling(),
                request.finish(),
                request.returns(),
                losses);
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
            case Generation.Overdue _, Generation.Lingered _ -> Behaviors.stopped();
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
                return Behaviors.stopped();
            }
            case Generation.Overdue _ -> overdue();
        }
        return advance();
    }

    private void onUpdate(Scheduler.Update update) {
        scheduler.heard();
        switch (update) {
            case Scheduler.Accepted(GenerationId _, ActorRef<Scheduler.Command> ref) -> scheduler.accepted(ref);
            case Scheduler.Released released -> scheduler.released(released).ifPresent(this::fail);
            case Scheduler.Failed(GenerationId _, GenerationFailure reason) -> fail(reason);
            case Scheduler.Advanced advanced when advanced.epoch().compareTo(epoch) < 0 -> stale++;
            case Scheduler.Advanced advanced -> {
                epoch = advanced.epoch();
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
            case Transcript.Verdict.Contradicts(GenerationFailure defect) -> {
                scheduler.tell(new Scheduler.Cancel(id));
                fail(defect);
            }
        }
    }

    private void endChoice(int choice, int completionTokens) {
        transcript.end(choice, completionTokens, FinishReason.STOP).ifPresent(finished -> {
            log.append(finished);
            scheduler.tell(new Scheduler.EndChoice(id, choice));
        });
    }

    private void cancel() {
        scheduler.tell(new Scheduler.Cancel(id));
        endAll(FinishReason.CANCELLED);
    }

    private void overdue() {
        scheduler.tell(new Scheduler.Cancel(id));
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
            case Generation.Start(GenerationRequest _, ActorRef<Generation.Started> replyTo) ->
                replyTo.tell(new Generation.Started(id, context.getSelf()));
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
            case Generation.Durable _ -> {}
            case Generation.GetStatus(ActorRef<Generation.Status> replyTo) ->
                replyTo.tell(new Generation.Status(
                        id, epoch, log.size(), transcript.isFinished(), stale, transcript.repeated()));
            case Generation.Stop _ -> {
                scheduler.tell(new Scheduler.Cancel(id));
                return Behaviors.stopped();
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
        return Behaviors.stopped();
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
                return Behaviors.stopped();
            }
        }
        return ended;
    }

    private GenerationEvent lastEvent() {
        return failure == null
                ? new GenerationEvent.Ended(id, request.prompt().size(), transcript.drawn())
                : new GenerationEvent.Failed(id, failure);
    }
}
