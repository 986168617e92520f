package dev.troupe.serving;

import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.LossCause;
import dev.troupe.stage.Peer;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardWork;
import dev.troupe.stage.StageEvent;
import dev.troupe.stage.StepBatch;
import dev.troupe.stage.StepResult;
import dev.troupe.stage.TensorShard;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.RecipientRef;
import org.jspecify.annotations.Nullable;

/** Two stages of one rank each, in one epoch: what the scheduler tells them comes here, and a counting model computes it. */
final class SimulatedEpoch {
    static final int BLOCKS = 28;
    static final int BLOCK_SIZE = 4;

    final Epoch epoch;
    final SimulatedWorld.Node home;
    final List<SimulatedWorld.Node> ranks;
    private final SimulatedWorld world;
    private final Runnable wake;
    private final Predicate<SimulatedWorld.Node> fenced;
    private final List<TestInbox<PipelineStage.Command>> stages = new ArrayList<>();
    private final TestInbox<TensorShard.Command> entrance = TestInbox.create();
    private final CountingReplica model = new CountingReplica(BLOCKS, BLOCK_SIZE);
    private final ArrayDeque<StepBatch> waiting = new ArrayDeque<>();
    private @Nullable ActorRef<StageEvent> events;
    private @Nullable ActorRef<StepResult> results;
    private long lastStep;
    private long computed;
    private boolean busy;
    private boolean ended;
    private int stale;

    /**
     * @param home the scheduler's node
     * @param ranks where the two ranks are
     * @param wake makes the scheduler take what its adapters were told
     * @param fenced whether a node has promised a higher epoch
     */
    SimulatedEpoch(
            SimulatedWorld world,
            Epoch epoch,
            SimulatedWorld.Node home,
            List<SimulatedWorld.Node> ranks,
            Runnable wake,
            Predicate<SimulatedWorld.Node> fenced) {
        this.world = world;
        this.epoch = epoch;
        this.home = home;
        this.ranks = ranks;
        this.wake = wake;
        this.fenced = fenced;
        stages.add(TestInbox.create());
        stages.add(TestInbox.create());
        model.defer(() -> world.random.nextInt(8) == 0);
    }

    Placement.Placed placed() {
        List<Partition.Stage> parts = new ArrayList<>();
        List<List<String>> slots = new ArrayList<>();
        for (int stage = 0; stage < 2; stage++) {
            parts.add(new Partition.Stage(
                    4 * stage, 4 * stage + 4, List.of(new Partition.Rank(0, 1, 0, CountingReplica.VOCABULARY))));
            slots.add(List.of(name(ranks.get(stage)) + "/cpu0"));
        }
        ReplicaPlan plan = new ReplicaPlan(
                "counting", 0, "", "exact", new Partition(parts), slots, KvType.F32, BLOCK_SIZE, BLOCKS);
        return new Placement.Placed(
                epoch,
                plan,
                stages.stream()
                        .<RecipientRef<PipelineStage.Command>>map(TestInbox::getRef)
                        .toList(),
                ranks.stream().map(SimulatedEpoch::name).collect(Collectors.toSet()));
    }

    private static String name(SimulatedWorld.Node node) {
        return "127.0.0.%d:2551#%d".formatted(node.place, node.uid);
    }

    /** What nodes that answer say of its ranks, which compute nothing while they wait for each other. */
    Stream<Placement.RankReport> reports(Predicate<SimulatedWorld.Node> answers) {
        return IntStream.range(0, 2)
                .filter(stage -> answers.test(ranks.get(stage)) && !fenced.test(ranks.get(stage)))
                .mapToObj(stage -> new Placement.RankReport(
                        new ShardId(epoch, stage, 0),
                        Placement.RankReport.State.OTHER,
                        new ShardWork(computed, computed, computed, computed)));
    }

    /** Steps of an epoch that is over, dropped by ranks. */
    int stale() {
        return stale;
    }

    /** Carries on what the scheduler has said. */
    void drain() {
        for (int stage = 0; stage < 2; stage++) {
            for (PipelineStage.Command command : stages.get(stage).getAllReceived()) {
                onStage(stage, command);
            }
        }
        for (TensorShard.Command command : entrance.getAllReceived()) {
            if (command instanceof TensorShard.Execute(StepBatch batch)) {
                world.send(home, ranks.getFirst(), () -> arrived(batch));
            }
        }
    }

    private void onStage(int stage, PipelineStage.Command command) {
        switch (command) {
            case PipelineStage.Form form -> {
                events = form.replyTo();
                world.after(home, 1 + world.random.nextInt(20), () -> form(stage, 0));
            }
            case PipelineStage.Connect connect -> {
                results = connect.results();
                tell(new StageEvent.Ready(epoch, stage));
            }
            default -> ended = true;
        }
    }

    private void form(int stage, int tries) {
        SimulatedWorld.Node rank = ranks.get(stage);
        if (ended) {
            return;
        }
        if (world.answers(home, rank) && world.answers(rank, home)) {
            Peer peer = new Peer(new ShardId(epoch, stage, 0), "", entrance.getRef());
            tell(new StageEvent.Formed(
                    epoch, stage, List.of(peer), stages.get(stage).getRef()));
        } else if (tries < 20) {
            world.after(home, 100, () -> form(stage, tries + 1));
        } else {
            lose("stage %d could not be formed on %s".formatted(stage, rank));
        }
    }

    private void tell(StageEvent event) {
        world.after(home, 1, () -> {
            if (events != null) {
                events.tell(event);
                wake.run();
            }
        });
    }

    /** The scheduler's node has heard that a rank is lost. */
    void lose(String reason) {
        tell(new StageEvent.Lost(epoch, 0, 0, LossCause.RANK, reason));
    }

    private void arrived(StepBatch batch) {
        if (batch.step() != lastStep + 1) {
            return; // repeated, or one before it was lost: steps never overtake
        }
        if (ranks.stream().anyMatch(fenced)) {
            stale++;
            return;
        }
        lastStep = batch.step();
        waiting.add(batch);
        compute();
    }

    private void compute() {
        if (busy || waiting.isEmpty()) {
            return;
        }
        busy = true;
        world.after(ranks.getFirst(), 5 + world.random.nextInt(60), () -> step(0));
    }

    private void step(int tries) {
        if (ranks.stream().anyMatch(fenced) || tries > 400) {
            stale += waiting.size();
            waiting.clear();
            return;
        }
        SimulatedWorld.Node first = ranks.getFirst();
        SimulatedWorld.Node last = ranks.getLast();
        if (!world.answers(first, last) || !world.answers(last, first)) {
            world.after(first, 50, () -> step(tries + 1));
            return;
        }
        model.execute(waiting.remove());
        computed++;
        StepResult result = model.next();
        world.send(last, home, () -> {
            if (results != null) {
                results.tell(result);
                wake.run();
            }
        });
        busy = false;
        compute();
    }
}
