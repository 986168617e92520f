package dev.troupe.serving;

import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.LossCause;
import dev.troupe.stage.Peer;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.StageEvent;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepResult;
import dev.troupe.stage.TensorShard;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/**
 * Placement, stages and ranks around a {@link CountingReplica}, for tests of the scheduler: forms at once, computes at
 * once, unless told to hold results or to refuse. Thread-safe.
 */
public final class FakeReplica {
    private static final AtomicLong NAMES = new AtomicLong();

    private final ActorTestKit kit;
    private final int stages;
    private final int ranks;
    private final int blocks;
    private final int blockSize;
    private int lives;
    private final Set<String> spares = new HashSet<>();
    private final ActorRef<Placement.Command> placement;
    private final List<PipelineStage.Command> stageCommands = new ArrayList<>();
    private final List<StepBatch> batches = new ArrayList<>();

    private CountingReplica counting;
    private Epoch epoch = Epoch.NONE;
    private @Nullable String refusal;
    private @Nullable Epoch successor;
    private @Nullable String withdrawal;
    private boolean holding;
    private boolean forming = true;
    private Function<Epoch, Placement.Findings> findings = _ -> new Placement.Findings(List.of(), 0);
    private final List<Placement.Request> requests = new ArrayList<>();
    private int inquiries;
    private int formed;
    private @Nullable ActorRef<StageEvent> events;
    private @Nullable ActorRef<StepResult> results;

    /** A replica of {@code stages} stages of {@code ranks} ranks with blocks of {@code blockSize} tokens. */
    public FakeReplica(ActorTestKit kit, int stages, int ranks, int blocks, int blockSize) {
        this.kit = kit;
        this.stages = stages;
        this.ranks = ranks;
        this.blocks = blocks;
        this.blockSize = blockSize;
        this.counting = new CountingReplica(blocks, blockSize);
        this.placement = kit.spawn(Behaviors.receiveMessage(this::place), "placement-" + NAMES.incrementAndGet());
    }

    /** Where a scheduler asks for epochs. */
    public ActorRef<Placement.Command> placement() {
        return placement;
    }

    /** From now on there is no epoch, for this reason; null gives some again. */
    public synchronized void refuse(@Nullable String reason) {
        refusal = reason;
    }

    /** From now on the replica is another scheduler's. */
    public synchronized void supersede(Epoch by) {
        successor = by;
    }

    /** From now on epochs are issued elsewhere, for this reason. */
    public synchronized void withdraw(String reason) {
        withdrawal = reason;
    }

    /** From now on stages do not answer when they are to form. */
    public synchronized void formNoMore() {
        forming = false;
    }

    /** From now on steps are taken, but not computed. */
    public synchronized void hold() {
        holding = true;
    }

    /** Computes all steps that were held, and computes at once from now on. */
    public synchronized void release() {
        holding = false;
        computeAll();
    }

    /** Computes the oldest step held, and holds the others. */
    public synchronized void releaseOne() {
        results().tell(counting.next());
    }

    /** The same, if there is one. */
    public synchronized void releaseOneIfAny() {
        if (stepsHeld() > 0) {
            releaseOne();
        }
    }

    /** A stage reports a loss in the current epoch. */
    public synchronized void lose(int stage, int rank, String reason) {
        lose(epoch, stage, rank, reason);
    }

    /** A stage reports a loss. */
    public synchronized void lose(Epoch lost, int stage, int rank, String reason) {
        lose(new StageEvent.Lost(lost, stage, rank, LossCause.RANK, reason));
    }

    /** A stage reports a loss of this kind in the current epoch. */
    public synchronized void lose(LossCause cause, String reason) {
        lose(new StageEvent.Lost(epoch, 0, 0, cause, reason));
    }

    private void lose(StageEvent.Lost lost) {
        if (events == null) {
            throw new IllegalStateException("no stage was formed");
        }
        events.tell(lost);
    }

    /** From the next epoch on all nodes are others than before. */
    public synchronized void renewNodes() {
        lives++;
    }

    /** The same, but those before live on without ranks. */
    public synchronized void moveToOtherNodes() {
        spares.addAll(nodes());
        renewNodes();
    }

    private Set<String> nodes() {
        return plan().slots().stream()
                .flatMap(List::stream)
                .map(slot -> slot.substring(0, slot.indexOf('/')))
                .collect(Collectors.toSet());
    }

    /** Sends a result of our making. */
    public synchronized void answer(StepResult result) {
        results().tell(result);
    }

    /** The sequence meets a value that is not finite. */
    public synchronized void poison(long sequence) {
        counting.poison(sequence);
    }

    /** From now on nodes say this when they are asked how their ranks in an epoch are. */
    public synchronized void find(Function<Epoch, Placement.Findings> now) {
        findings = now;
    }

    /** How often nodes were asked how their ranks are. */
    public synchronized int inquiries() {
        return inquiries;
    }

    /** All epochs that were asked for. */
    public synchronized List<Placement.Request> requests() {
        return List.copyOf(requests);
    }

    /** Whether every stage of the epoch with this round was told to form. */
    public synchronized boolean isForming(long round) {
        return epoch.round() == round && formed == stages;
    }

    /** Steps that were taken but not computed. */
    public synchronized int stepsHeld() {
        return counting.stepsInFlight();
    }

    /** The epoch placed last. */
    public synchronized Epoch epoch() {
        return epoch;
    }

    /** Every step that rank 0 of stage 0 was told to execute. */
    public synchronized List<StepBatch> batches() {
        return List.copyOf(batches);
    }

    /** What stages were told, without Form and Connect. */
    public synchronized List<PipelineStage.Command> stageCommands() {
        return List.copyOf(stageCommands);
    }

    private ActorRef<StepResult> results() {
        if (results == null) {
            throw new IllegalStateException("no stage was connected");
        }
        return results;
    }

    private void computeAll() {
        while (!holding && counting.stepsInFlight() > 0) {
            results().tell(counting.next());
        }
    }

    private synchronized Behavior<Placement.Command> place(Placement.Command command) {
        return switch (command) {
            case Placement.Request request -> place(request);
            case Placement.Inquiry inquiry -> {
                inquiries++;
                inquiry.replyTo().tell(findings.apply(epoch));
                yield Behaviors.same();
            }
        };
    }

    private Behavior<Placement.Command> place(Placement.Request request) {
        requests.add(request);
        if (refusal != null) {
            request.replyTo().tell(new Placement.NotPlaced(refusal));
            return Behaviors.same();
        }
        if (withdrawal != null) {
            request.replyTo().tell(new Placement.Withdrawn(withdrawal));
            return Behaviors.same();
        }
        if (successor != null) {
            request.replyTo().tell(new Placement.Superseded(successor));
            return Behaviors.same();
        }
        Epoch above = request.above().compareTo(epoch) > 0 ? request.above() : epoch;
        epoch = above.next(7);
        counting = new CountingReplica(blocks, blockSize);
        formed = 0;
        List<RecipientRef<PipelineStage.Command>> refs = new ArrayList<>();
        for (int stage = 0; stage < stages; stage++) {
            int index = stage;
            refs.add(kit.spawn(
                    Behaviors.<PipelineStage.Command>receive(
                            (context, command) -> {
                                if (command instanceof PipelineStage.Form form) {
                                    // As a real stage does: its scheduler's end is its own.
                                    context.watchWith(form.replyTo(), PipelineStage.Stop.INSTANCE);
                                }
                                return stage(index, command, context.getSelf());
                            },
                            (_, _) -> Behaviors.same()),
                    "stage-" + NAMES.incrementAndGet()));
        }
        Set<String> alive = nodes();
        alive.addAll(spares);
        request.replyTo().tell(new Placement.Placed(epoch, plan(), refs, alive));
        return Behaviors.same();
    }

    ReplicaPlan plan() {
        List<Partition.Stage> parts = new ArrayList<>();
        List<List<String>> slots = new ArrayList<>();
        for (int stage = 0; stage < stages; stage++) {
            List<Partition.Rank> shares = new ArrayList<>();
            List<String> ofStage = new ArrayList<>();
            for (int rank = 0; rank < ranks; rank++) {
                shares.add(new Partition.Rank(rank, rank + 1, 0, CountingReplica.VOCABULARY));
                ofStage.add("127.0.0.%d:2551#%d/cpu0".formatted(stage + 1, 100 * lives + rank));
            }
            parts.add(new Partition.Stage(4 * stage, 4 * stage + 4, shares));
            slots.add(ofStage);
        }
        return new ReplicaPlan("counting", 0, "", "exact", new Partition(parts), slots, KvType.F32, blockSize, blocks);
    }

    private synchronized Behavior<PipelineStage.Command> stage(
            int index, PipelineStage.Command command, ActorRef<PipelineStage.Command> self) {
        switch (command) {
            case PipelineStage.Form form -> {
                events = form.replyTo();
                formed++;
                if (forming) {
                    form.replyTo().tell(new StageEvent.Formed(form.epoch(), index, peers(form.epoch(), index), self));
                }
            }
            case PipelineStage.Connect connect -> {
                results = connect.results();
                if (events != null) {
                    events.tell(new StageEvent.Ready(connect.epoch(), index));
                }
            }
            default -> stageCommands.add(command);
        }
        return Behaviors.same();
    }

    private List<Peer> peers(Epoch of, int stage) {
        List<Peer> peers = new ArrayList<>();
        for (int rank = 0; rank < ranks; rank++) {
            int index = rank;
            ActorRef<TensorShard.Command> ref = kit.spawn(
                    Behaviors.<TensorShard.Command>receiveMessage(command -> shard(of, stage, index, command)),
                    "shard-" + NAMES.incrementAndGet());
            peers.add(new Peer(new ShardId(of, stage, rank), "", ref));
        }
        return peers;
    }

    private synchronized Behavior<TensorShard.Command> shard(
            Epoch of, int stage, int rank, TensorShard.Command command) {
        if (command instanceof TensorShard.Execute(StepBatch batch) && of.equals(epoch) && stage == 0 && rank == 0) {
            batches.add(batch);
            counting.execute(batch);
            computeAll();
        }
        return Behaviors.same();
    }
}
