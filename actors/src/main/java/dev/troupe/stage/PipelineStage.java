package dev.troupe.stage;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;

/**
 * The actor that forms and watches the ranks of one pipeline stage in one epoch. Control only: no activations. When one
 * rank is lost the epoch is over: it says so once, ends the other ranks, and waits for its own end.
 */
public final class PipelineStage {
    /** How long a rank may take to say that it is there; loading may take longer. */
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(10);

    /** A message between nodes may be lost: what has not been answered is said again, which changes nothing where it was heard. */
    private static final Duration REPEAT_EVERY = Duration.ofMillis(500);

    private final ActorContext<Command> context;
    private final TimerScheduler<Command> timers;
    private final ShardDirectory directory;
    private final Duration answerWithin;

    private PipelineStage(
            ActorContext<Command> context,
            TimerScheduler<Command> timers,
            ShardDirectory directory,
            Duration answerWithin) {
        this.context = context;
        this.timers = timers;
        this.directory = directory;
        this.answerWithin = answerWithin;
    }

    /** What a stage understands; private ones never leave it. */
    public sealed interface Command
            permits Form,
                    Connect,
                    Preparing,
                    Prepared,
                    NotPrepared,
                    Joined,
                    RankLost,
                    Stop,
                    RankEnded,
                    Unanswered,
                    Repeat,
                    SchedulerEnded {}

    /** Make all ranks of {@code stage} load; answered by {@link StageEvent.Formed} or {@link StageEvent.Lost}. */
    public record Form(Epoch epoch, int stage, ReplicaPlan plan, ActorRef<StageEvent> replyTo) implements Command {}

    /**
     * Make all ranks know their peers; answered by {@link StageEvent.Ready}.
     *
     * @param nextStage ranks of the next stage; empty on the last
     */
    public record Connect(Epoch epoch, List<Peer> nextStage, ActorRef<StepResult> results) implements Command {
        public Connect {
            nextStage = List.copyOf(nextStage);
        }
    }

    /** A rank is there, on the wanted slot, and has begun to load its share, which may take long. */
    public record Preparing(Peer peer) implements Command {}

    /** A rank has loaded its share. */
    public record Prepared(Peer peer) implements Command {}

    /** A rank cannot load its share. */
    public record NotPrepared(ShardId id, String reason) implements Command {}

    /** A rank knows its peers. */
    public record Joined(ShardId id) implements Command {}

    /**
     * A rank cannot go on: it says so itself, or whoever watches its node does.
     *
     * @param reason for people: who, what it hosted, what happened
     */
    public record RankLost(ShardId id, LossCause cause, String reason) implements Command {}

    /** End all ranks and stop. Also the stop message of its cluster shard. */
    public enum Stop implements Command {
        INSTANCE
    }

    private record RankEnded(ShardId id) implements Command {}

    private enum Unanswered implements Command {
        INSTANCE
    }

    private enum Repeat implements Command {
        INSTANCE
    }

    private enum SchedulerEnded implements Command {
        INSTANCE
    }

    /** A stage that waits to be told what to form, and reaches its ranks through {@code directory}. */
    public static Behavior<Command> create(ShardDirectory directory) {
        return create(directory, ANSWER_WITHIN);
    }

    /**
     * The same with its own patience.
     *
     * @param answerWithin how long a rank may take to say that it is there, and later that it knows its peers
     */
    public static Behavior<Command> create(ShardDirectory directory, Duration answerWithin) {
        return Behaviors.setup(context -> Behaviors.withTimers(
                timers -> new PipelineStage(context, timers, directory, answerWithin).unformed(Optional.empty())));
    }

    /**
     * Whatever comes before a form is about an epoch that is over, and must not bring its stage back to life. But the loss of a rank may
     * also be ahead of the form, which would be lost if this ended now: it is kept for a while.
     *
     * @param early a loss that was heard of before
     */
    private Behavior<Command> unformed(Optional<RankLost> early) {
        return Behaviors.receiveMessage(command -> switch (command) {
            case Form form -> {
                early.ifPresent(context.getSelf()::tell);
                yield form(form);
            }
            case RankLost lost -> {
                timers.startSingleTimer(Unanswered.INSTANCE, answerWithin);
                yield unformed(Optional.of(lost));
            }
            case Connect _, Preparing _, Prepared _, NotPrepared _, Joined _, Stop _ -> Behaviors.stopped();
            case RankEnded _, Unanswered _, Repeat _, SchedulerEnded _ -> Behaviors.stopped();
        });
    }

    private Behavior<Command> form(Form form) {
        StageFormation formation = new StageFormation(form);
        context.watchWith(form.replyTo(), SchedulerEnded.INSTANCE);
        tellRanks(formation);
        timers.startSingleTimer(Unanswered.INSTANCE, answerWithin);
        timers.startTimerWithFixedDelay(Repeat.INSTANCE, REPEAT_EVERY);
        return forming(formation);
    }

    /** Tells every rank the next thing that it has to do and has not answered yet. */
    private void tellRanks(StageFormation formation) {
        ReplicaPlan plan = formation.form().plan();
        TensorShard.Join join = formation.join();
        for (int rank = 0; rank < formation.ranks(); rank++) {
            ShardId id = formation.id(rank);
            Peer peer = formation.peer(rank);
            if (!formation.isPrepared(rank)) {
                String slot = plan.slots().get(id.stage()).get(rank);
                directory.shard(id, plan).tell(new TensorShard.Prepare(id, slot, plan, context.getSelf()));
            } else if (peer != null && join != null && !formation.isJoined(rank)) {
                peer.ref().tell(join);
            }
        }
    }

    /** From the first message to the ranks until one of them is lost. */
    private Behavior<Command> forming(StageFormation formation) {
        return Behaviors.receiveMessage(command -> switch (command) {
            case Preparing preparing -> present(formation, preparing.peer());
            case Prepared prepared -> prepared(formation, prepared.peer());
            case NotPrepared refused ->
                lose(
                        formation,
                        refused.id(),
                        () -> "%s cannot load its share: %s"
                                .formatted(describe(formation, refused.id()), refused.reason()));
            case Connect connect -> connect(formation, connect);
            case Joined joined -> joined(formation, joined.id());
            case RankLost lost -> lose(formation, lost.id(), lost.cause(), lost::reason);
            case RankEnded ended ->
                lose(
                        formation,
                        ended.id(),
                        () -> "%s has stopped, or its node is gone".formatted(describe(formation, ended.id())));
            case Unanswered _ ->
                formation.waits()
                        ? lose(
                                formation,
                                formation.id(formation.firstSilent()),
                                () -> "no answer within %s from %s".formatted(answerWithin, formation.silent()))
                        : Behaviors.same();
            case Repeat _ -> {
                tellRanks(formation);
                yield Behaviors.same();
            }
            case Form _ -> Behaviors.same();
            case Stop _, SchedulerEnded _ -> stop(formation);
        });
    }

    /** One rank is lost, so the epoch is over. */
    private Behavior<Command> lost(StageFormation formation) {
        return Behaviors.receiveMessage(command -> switch (command) {
            case Stop _, SchedulerEnded _ -> stop(formation);
            case Form _, Connect _, Preparing _, Prepared _, NotPrepared _, Joined _ -> Behaviors.same();
            case RankLost _, RankEnded _, Unanswered _, Repeat _ -> Behaviors.same();
        });
    }

    private Behavior<Command> present(StageFormation formation, Peer peer) {
        if (formation.has(peer.id()) && formation.notePresent(peer)) {
            context.watchWith(peer.ref(), new RankEnded(peer.id()));
            if (!formation.waits()) {
                timers.cancel(Unanswered.INSTANCE);
            }
        }
        return Behaviors.same();
    }

    private Behavior<Command> prepared(StageFormation formation, Peer peer) {
        present(formation, peer);
        if (formation.has(peer.id()) && formation.notePrepared(peer.id())) {
            Form form = formation.form();
            form.replyTo()
                    .tell(new StageEvent.Formed(form.epoch(), form.stage(), formation.peers(), context.getSelf()));
        }
        return Behaviors.same();
    }

    private Behavior<Command> connect(StageFormation formation, Connect connect) {
        if (connect.epoch().equals(formation.form().epoch())
                && formation.noteConnected(peers -> new TensorShard.Join(
                        connect.epoch(), peers, connect.nextStage(), connect.results(), context.getSelf()))) {
            tellRanks(formation);
            timers.startSingleTimer(Unanswered.INSTANCE, answerWithin);
        }
        return Behaviors.same();
    }

    private Behavior<Command> joined(StageFormation formation, ShardId id) {
        if (formation.has(id) && formation.noteJoined(id)) {
            timers.cancelAll();
            Form form = formation.form();
            form.replyTo().tell(new StageEvent.Ready(form.epoch(), form.stage()));
        }
        return Behaviors.same();
    }

    private Behavior<Command> lose(StageFormation formation, ShardId id, Supplier<String> reason) {
        return lose(formation, id, LossCause.RANK, reason);
    }

    private Behavior<Command> lose(StageFormation formation, ShardId id, LossCause cause, Supplier<String> reason) {
        if (!formation.has(id)) {
            return Behaviors.same();
        }
        Form form = formation.form();
        context.getLog()
                .warn("epoch {} of {} is over: {}", form.epoch(), form.plan().model(), reason.get());
        form.replyTo().tell(new StageEvent.Lost(form.epoch(), form.stage(), id.rank(), cause, reason.get()));
        timers.cancelAll();
        stopRanks(formation);
        return lost(formation);
    }

    private Behavior<Command> stop(StageFormation formation) {
        stopRanks(formation);
        return Behaviors.stopped();
    }

    private void stopRanks(StageFormation formation) {
        for (int rank = 0; rank < formation.ranks(); rank++) {
            Peer peer = formation.peer(rank);
            if (peer != null) {
                peer.ref().tell(TensorShard.Stop.INSTANCE);
            } else {
                directory.shard(formation.id(rank), formation.form().plan()).tell(TensorShard.Stop.INSTANCE);
            }
        }
    }

    private static String describe(StageFormation formation, ShardId id) {
        return formation.form().plan().describe(id.stage(), id.rank());
    }
}
