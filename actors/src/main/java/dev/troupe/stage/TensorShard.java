package dev.troupe.stage;

import dev.troupe.model.ShardCompute;
import dev.troupe.sampling.guide.TokenTable;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/**
 * The actor of one tensor-parallel rank of one pipeline stage in one epoch. It is the compute thread: it runs on its own
 * dispatcher ({@link #props()}) and does one unit of work between messages, so that it hears what comes while it is busy.
 */
public final class TensorShard {
    private static final String DISPATCHER = "troupe.shard-dispatcher";
    private static final String GUIDE_DISPATCHER = "troupe.guide-dispatcher";

    /** How long one that was superseded stays for its stage. */
    private static final Duration UNHEARD = Duration.ofSeconds(2);

    private final ActorContext<Command> context;
    private final ShardHost host;
    private final PendingLoad load = new PendingLoad();
    private final PeerOutput output;

    private @Nullable Prepare prepared;
    private ShardRoster.@Nullable Resident resident;
    private @Nullable StepRunner runner;
    private @Nullable Join joined;
    private boolean advancePending;

    private TensorShard(ActorContext<Command> context, ShardHost host) {
        this.context = context;
        this.host = host;
        this.output = new PeerOutput(host.road(), context.getLog());
    }

    /** What a shard understands; private ones never leave it. */
    public sealed interface Command
            permits TensorMessage, Prepare, Join, Execute, Superseded, Stop, Loaded, NotLoaded, Advance, StageEnded {}

    /**
     * Load your share. Answered by {@link PipelineStage.Preparing} at once and later by {@link PipelineStage.Prepared},
     * or by {@link PipelineStage.NotPrepared}.
     *
     * @param id who the shard is
     * @param slot where the plan wants it; it refuses to run elsewhere
     */
    public record Prepare(ShardId id, String slot, ReplicaPlan plan, ActorRef<PipelineStage.Command> replyTo)
            implements Command {}

    /**
     * Know your peers. Answered by {@link PipelineStage.Joined}.
     *
     * @param ranks all ranks of this stage in order, itself included
     * @param nextStage all ranks of the next stage in order; empty on the last
     * @param results who gets the step results; used by rank 0 of the last stage
     */
    public record Join(
            Epoch epoch,
            List<Peer> ranks,
            List<Peer> nextStage,
            ActorRef<StepResult> results,
            ActorRef<PipelineStage.Command> replyTo)
            implements Command {
        public Join {
            ranks = List.copyOf(ranks);
            nextStage = List.copyOf(nextStage);
        }
    }

    /** Run a step; sent by the scheduler to every rank of stage 0. */
    public record Execute(StepBatch batch) implements Command {}

    /** The node has promised itself to {@code by}, a higher epoch: free everything, and stop when the stage knows why. */
    public record Superseded(Epoch by) implements Command {}

    /** End: free everything and stop. Also the stop message of its cluster shard. */
    public enum Stop implements Command {
        INSTANCE
    }

    private enum Loaded implements Command {
        INSTANCE
    }

    private record NotLoaded(String reason) implements Command {}

    private enum Advance implements Command {
        INSTANCE
    }

    private enum StageEnded implements Command {
        INSTANCE
    }

    /** What a shard must be spawned with: its own thread. */
    public static Props props() {
        return DispatcherSelector.fromConfig(DISPATCHER);
    }

    /** A shard on {@code host}'s slot that waits to be told what to load. */
    public static Behavior<Command> create(ShardHost host) {
        return Behaviors.setup(context -> new TensorShard(context, host).unprepared());
    }

    private Behavior<Command> unprepared() {
        return receive(command -> switch (command) {
            case Prepare prepare -> prepare(prepare);
            case Superseded _, Stop _, StageEnded _ -> Behaviors.stopped();
            case TensorMessage _, Join _, Execute _, Loaded _, NotLoaded _, Advance _ -> drop(command);
        });
    }

    private Behavior<Command> loading() {
        return receive(command -> switch (command) {
            case Loaded _ -> start();
            case NotLoaded failed -> refuse(failed.reason());
            case Superseded superseded -> yieldTo(superseded.by());
            case Stop _, StageEnded _ -> Behaviors.stopped();
            case Prepare again ->
                answer(again, new PipelineStage.Preparing(peer(prepared().id())));
            case TensorMessage _, Join _, Execute _, Advance _ -> drop(command);
        });
    }

    private Behavior<Command> running() {
        return receive(command -> switch (command) {
            case Join join -> join(join);
            case Execute execute -> work(steps -> steps.execute(execute.batch()));
            case TensorMessage message -> work(steps -> steps.deliver(message));
            case Advance _ -> {
                advancePending = false;
                yield work(steps -> {});
            }
            case Superseded superseded -> yieldTo(superseded.by());
            case Stop _, StageEnded _ -> Behaviors.stopped();
            case Prepare again ->
                answer(again, new PipelineStage.Prepared(peer(prepared().id())));
            case Loaded _, NotLoaded _ -> drop(command);
        });
    }

    private Behavior<Command> receive(Function<Command, Behavior<Command>> handler) {
        return Behaviors.receive(Command.class)
                .onAnyMessage(handler::apply)
                .onSignal(PostStop.class, stopped -> {
                    free();
                    return Behaviors.same();
                })
                .build();
    }

    private Behavior<Command> drop(Command message) {
        context.getLog()
                .debug("{} has no use for {} now", this, message.getClass().getSimpleName());
        return Behaviors.same();
    }

    /** The stage asks again: the answer to its first question was lost, or is on its way. */
    private Behavior<Command> answer(Prepare again, PipelineStage.Command answer) {
        if (!again.equals(prepared())) {
            return drop(again);
        }
        again.replyTo().tell(answer);
        return Behaviors.same();
    }

    private Behavior<Command> prepare(Prepare prepare) {
        prepared = prepare;
        ShardId id = prepare.id();
        if (!prepare.slot().equals(host.slot())) {
            return refuse("the plan wants it on slot %s and it runs on %s".formatted(prepare.slot(), host.slot()));
        }
        ShardProgress progress = new ShardProgress(id, System::nanoTime);
        resident = new ShardRoster.Resident(host.slot(), progress, context.getSelf());
        host.roster().add(resident);
        context.watchWith(prepare.replyTo(), StageEnded.INSTANCE);
        prepare.replyTo().tell(new PipelineStage.Preparing(peer(id)));
        ActorRef<Command> self = context.getSelf();
        Executor compiler = executor(DispatcherSelector.fromConfig(GUIDE_DISPATCHER));
        executor(DispatcherSelector.blocking()).execute(() -> load(prepare, compiler, self));
        return loading();
    }

    private Executor executor(DispatcherSelector selector) {
        return context.getSystem().dispatchers().lookup(selector);
    }

    /** On a thread for blocking work; touches no state of the actor but what is thread-safe. */
    private void load(Prepare prepare, Executor compiler, ActorRef<Command> self) {
        try {
            ReplicaPlan plan = prepare.plan();
            boolean last = prepare.id().stage() == plan.partition().stages().size() - 1;
            ShardCompute compute = host.loader().load(prepare.id(), plan);
            Share share = new Share(compute, last ? new Guides(tokens(plan, compute), compiler) : Guides.none());
            if (load.offer(share)) {
                self.tell(Loaded.INSTANCE);
            } else {
                compute.close();
            }
        } catch (Throwable failure) {
            self.tell(new NotLoaded(reason(failure)));
            rethrowFatal(failure);
        }
    }

    /** After the weights: a front end of this process may read the same tokenizer meanwhile. */
    private @Nullable TokenTable tokens(ReplicaPlan plan, ShardCompute compute) throws Exception {
        try {
            return host.loader().tokens(plan);
        } catch (Throwable failure) {
            compute.close();
            throw failure;
        }
    }

    private Peer peer(ShardId id) {
        return new Peer(id, host.lane(), context.getSelf());
    }

    private Behavior<Command> refuse(String reason) {
        Prepare prepare = prepared();
        prepare.replyTo().tell(new PipelineStage.NotPrepared(prepare.id(), reason));
        return Behaviors.stopped();
    }

    private Behavior<Command> start() {
        Prepare prepare = prepared();
        Share share = load.take();
        try {
            runner = new StepRunner(
                    prepare.plan(),
                    share,
                    Backlog.Limits.DEFAULT,
                    output,
                    resident().progress());
        } catch (RuntimeException failure) {
            share.compute().close();
            return refuse(reason(failure));
        }
        host.registry().register(prepare.id(), context.getSelf());
        prepare.replyTo().tell(new PipelineStage.Prepared(peer(prepare.id())));
        return running();
    }

    private Behavior<Command> join(Join join) {
        ShardId id = prepared().id();
        if (!join.epoch().equals(id.epoch())) {
            return drop(join);
        }
        if (joined != null) {
            return joined.equals(join) ? confirm(join) : lose("it has joined and is told to join other peers");
        }
        String problem = problem(join);
        if (problem != null) {
            return lose(problem);
        }
        joined = join;
        output.join(join);
        runner().join();
        confirm(join);
        return work(steps -> {});
    }

    private Behavior<Command> confirm(Join join) {
        join.replyTo().tell(new PipelineStage.Joined(prepared().id()));
        return Behaviors.same();
    }

    private @Nullable String problem(Join join) {
        ShardId id = prepared().id();
        var stages = prepared().plan().partition().stages();
        int ranks = stages.get(id.stage()).ranks().size();
        int next = id.stage() + 1 < stages.size()
                ? stages.get(id.stage() + 1).ranks().size()
                : 0;
        if (join.ranks().size() != ranks || join.nextStage().size() != next) {
            return "it is told to join %d ranks and %d of the next stage; the plan has %d and %d"
                    .formatted(join.ranks().size(), join.nextStage().size(), ranks, next);
        }
        Peer own = join.ranks().get(id.rank());
        return own.equals(peer(id)) ? null : "it is told to join as %s and is %s".formatted(own, peer(id));
    }

    /** Notes something, then does at most one unit of work. */
    private Behavior<Command> work(Consumer<StepRunner> note) {
        StepRunner steps = runner();
        try {
            note.accept(steps);
            if (!advancePending && steps.advance() && steps.hasWork()) {
                advancePending = true;
                context.getSelf().tell(Advance.INSTANCE);
            }
            return Behaviors.same();
        } catch (Throwable failure) {
            context.getLog().error("{} has failed", this, failure);
            lose("its computation failed: " + reason(failure));
            rethrowFatal(failure);
            return Behaviors.stopped();
        }
    }

    private Behavior<Command> lose(String reason) {
        Prepare prepare = prepared();
        prepare.replyTo()
                .tell(new PipelineStage.RankLost(prepare.id(), LossCause.RANK, "%s: %s".formatted(this, reason)));
        return Behaviors.stopped();
    }

    /** Stays, empty, until the stage has heard: a remote stage may see the end of an actor before its last message. */
    private Behavior<Command> yieldTo(Epoch by) {
        free();
        Prepare prepare = prepared();
        prepare.replyTo()
                .tell(new PipelineStage.RankLost(
                        prepare.id(), LossCause.SUPERSEDED, "%s works for epoch %s now".formatted(this, by)));
        context.scheduleOnce(UNHEARD, context.getSelf(), Stop.INSTANCE);
        return receive(command -> switch (command) {
            case Stop _, StageEnded _ -> Behaviors.stopped();
            case TensorMessage _, Prepare _, Join _, Execute _, Superseded _ -> drop(command);
            case Loaded _, NotLoaded _, Advance _ -> drop(command);
        });
    }

    private static String reason(Throwable failure) {
        String message = failure.getMessage();
        return message == null ? failure.getClass().getSimpleName() : message;
    }

    private static void rethrowFatal(Throwable failure) {
        if (failure instanceof VirtualMachineError fatal) {
            throw fatal;
        }
    }

    private void free() {
        load.abandon();
        ShardRoster.Resident here = resident;
        if (here != null) {
            host.registry().unregister(here.id());
            host.roster().remove(here);
            here.progress()
                    .publish(
                            ShardProgress.Activity.ENDED, here.progress().last().step(), 0);
            resident = null;
        }
        if (runner != null) {
            runner.close();
            runner = null;
        }
    }

    private Prepare prepared() {
        if (prepared == null) {
            throw new IllegalStateException("not prepared");
        }
        return prepared;
    }

    private ShardRoster.Resident resident() {
        if (resident == null) {
            throw new IllegalStateException("not prepared");
        }
        return resident;
    }

    private StepRunner runner() {
        if (runner == null) {
            throw new IllegalStateException("not loaded");
        }
        return runner;
    }

    @Override
    public String toString() {
        return prepared == null
                ? "a shard on " + host.slot()
                : prepared.plan().describe(prepared.id().stage(), prepared.id().rank());
    }
}
