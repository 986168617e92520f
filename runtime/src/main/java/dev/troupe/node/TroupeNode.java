package dev.troupe.node;

import dev.troupe.client.FrontEnd;
import dev.troupe.client.Troupe;
import dev.troupe.cluster.ClusterNode;
import dev.troupe.cluster.NodeProfile;
import dev.troupe.cluster.guardian.PromisedLoader;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.cluster.placement.ModelSpec;
import dev.troupe.cluster.placement.PlacementTimes;
import dev.troupe.cluster.slot.EntityKind;
import dev.troupe.cluster.slot.SlotHomes;
import dev.troupe.cluster.slot.SlotResolver;
import dev.troupe.config.BindGuard;
import dev.troupe.config.NodeConfig;
import dev.troupe.generation.Generation;
import dev.troupe.generation.LogHolders;
import dev.troupe.generation.LogKeeper;
import dev.troupe.generation.ReplicatedTokenLog;
import dev.troupe.http.HttpServer;
import dev.troupe.kernel.Devices;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.NumericsId;
import dev.troupe.model.Partition;
import dev.troupe.plan.DeviceProfile;
import dev.troupe.plan.SplitPlanner;
import dev.troupe.plan.Survival;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Scheduler;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ShardHost;
import dev.troupe.stage.TensorShard;
import dev.troupe.weights.LoadProgress;
import dev.troupe.wire.artery.MembershipGuard;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;
import org.jspecify.annotations.Nullable;

/** A process of the cluster: an actor system with whatever its roles ask for. */
public final class TroupeNode implements AutoCloseable {
    private static final EntityTypeKey<Generation.Command> GENERATION =
            EntityTypeKey.create(Generation.Command.class, "generation");

    /** Long enough to be for ever, short enough for the scheduler of the actor system. */
    private static final Duration COMPLETE_WITHIN = Duration.ofDays(100);

    private static final Duration CONNECT_EVERY = Duration.ofSeconds(1);

    private final ActorSystem<Void> system;
    private final NodeConfig config;
    private final String model;
    private final String numerics;
    private final ModelStore store;
    private final NodeRoads roads;
    private final ClusterNode.Started started;
    private final Devices devices;
    private final DeviceWatch deviceWatch;
    private final NodeChaos chaos;

    private @Nullable HttpServer http;

    /** Whether all members were there once. Before that a replica would be placed on too few nodes. */
    private volatile boolean complete;

    private TroupeNode(NodeConfig config, LoadProgress progress) throws IOException {
        BindGuard.require(config.node(), config.wire());
        OwnCertificate.require(config);
        this.config = config;
        this.model = config.replica().model();
        this.numerics = NumericsId.of(config.numerics(), config.kv().type()).value();
        boolean computes = config.node().roles().contains(NodeRole.COMPUTE);
        this.devices = DeviceKernels.of(
                computes ? config.device() : config.device().onCpu(), Integer.MAX_VALUE, config.numerics());
        this.chaos = NodeChaos.of(config.chaos());
        this.store = identified(ModelStore.open(config, devices, progress));
        this.system = ActorSystem.create(Behaviors.empty(), FrontEnd.SYSTEM, config.pekko());
        system.getWhenTerminated().thenRun(store::close);
        this.deviceWatch = new DeviceWatch(system, devices);
        if (config.wire().tls().isPresent()) {
            system.systemActorOf(MembershipGuard.create(), "troupe-membership-guard", Props.empty());
        }
        this.roads = openRoads();
        system.getWhenTerminated().thenRun(roads::close);
        this.started = ClusterNode.start(system, profile(), this::kinds);
        whenComplete(COMPLETE_WITHIN).thenRun(() -> complete = true);
        system.scheduler()
                .scheduleWithFixedDelay(
                        CONNECT_EVERY,
                        CONNECT_EVERY,
                        () -> roads.connect(started.node().otherLanes()),
                        system.executionContext());
        CoordinatedShutdown.get(system)
                .addTask(
                        CoordinatedShutdown.PhaseBeforeServiceUnbind(),
                        "troupe-hand-over",
                        () -> HandOver.of(system, started.node()));
        LogKeeper.start(system, config.generation().resumeWithin());
        chaos.start(system, started.node(), roads);
        deviceWatch.start(started.node());
        if (started.node().roles().contains(NodeRole.FRONTEND)) {
            startFrontEnd();
        }
    }

    /**
     * Starts a node; it joins the cluster by itself.
     *
     * @throws IOException if a model is missing or malformed, or the files of its identity are not right
     * @throws dev.troupe.config.ConfigurationException if it would bind off loopback without TLS
     */
    public static TroupeNode start(NodeConfig config, LoadProgress progress) throws IOException {
        return new TroupeNode(config, progress);
    }

    /** Only a node that knows what it has may join: others compare themselves with it. */
    private ModelStore identified(ModelStore opened) throws IOException {
        try {
            opened.identify(config);
            return opened;
        } catch (IOException | RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    private NodeRoads openRoads() throws IOException {
        try {
            return NodeRoads.open(config, system);
        } catch (IOException e) {
            system.terminate();
            throw e;
        }
    }

    /** Tells {@code listener} what the cluster outlives when it is complete, and again whenever that changes. */
    public void onSurvival(Consumer<Survival> listener) {
        SplitPlanner planner = new SplitPlanner(
                store.config(model),
                config.replica().pipelineParallel(),
                config.replica().tensorParallel(),
                null,
                store.footprint(model, config.kv(), store.kvBlocks(model, evenSplit(), config.kv())));
        whenComplete()
                .thenRun(() -> SurvivalWatch.start(
                        system, started.node(), config.cluster().quorum(), planner, listener));
    }

    private Partition evenSplit() {
        return Partition.even(
                store.config(model),
                config.replica().pipelineParallel(),
                config.replica().tensorParallel());
    }

    private NodeProfile profile() {
        Partition partition = evenSplit();
        List<ModelSpec> models = config.models().keySet().stream()
                .map(id -> new ModelSpec(
                        store.card(id),
                        store.config(id),
                        numerics,
                        null,
                        config.kv().type(),
                        config.kv().blockSize(),
                        store.kvBlocks(model, partition, config.kv()),
                        store.footprint(id, config.kv(), store.kvBlocks(model, partition, config.kv()))))
                .toList();
        List<DeviceProfile> profiles = config.node().roles().contains(NodeRole.COMPUTE)
                ? devices.all().stream().map(this::profile).toList()
                : List.of();
        return new NodeProfile(profiles, roads.address(), numerics, models, PlacementTimes.DEFAULT);
    }

    private DeviceProfile profile(KernelProvider device) {
        return new DeviceProfile(
                device.device(),
                device.memory().isHost() ? config.device().threads() : 0,
                DeviceKernels.memoryBytes(config.device(), device));
    }

    private List<EntityKind<?>> kinds(ClusterNode node) {
        return List.of(
                new EntityKind<>(
                        ClusterNode.SHARD,
                        NodeRole.COMPUTE,
                        TensorShard.Stop.INSTANCE,
                        TensorShard.props(),
                        (slot, id) -> TensorShard.create(host(node, slot))),
                EntityKind.of(
                        ClusterNode.STAGE,
                        NodeRole.CONTROL,
                        PipelineStage.Stop.INSTANCE,
                        (slot, id) -> PipelineStage.create(node.shards())),
                EntityKind.of(
                        SchedulerRoads.SCHEDULER,
                        NodeRole.CONTROL,
                        Scheduler.Stop.INSTANCE,
                        (slot, id) -> Scheduler.create(
                                config.scheduler()
                                        .of(
                                                config.replica(),
                                                SchedulerRoads.REPLICA,
                                                store.config(model).maxPositions()),
                                node.placer(),
                                System::nanoTime)),
                EntityKind.of(
                        GENERATION,
                        NodeRole.FRONTEND,
                        Generation.Stop.INSTANCE,
                        (slot, id) -> Generation.create(generationId(slot, id), generationSetup(node))));
    }

    private ShardHost host(ClusterNode node, Slot slot) {
        return new ShardHost(
                slot.toString(),
                roads.address(),
                chaos.disturbed(new PromisedLoader(node.promises(), deviceWatch.watched(node, store))),
                chaos.disturbed(roads),
                roads.registry(),
                node.roster());
    }

    private Generation.Setup generationSetup(ClusterNode node) {
        NodeLogHolders holders = new NodeLogHolders(system, node);
        return new Generation.Setup(
                schedulers(node).router(),
                ReplicatedTokenLog.factory(holders, config.generation().signOfLife(), System::nanoTime),
                holders,
                Generation.Settings.standard()
                        .withSchedulerComing(config.scheduler().clusterWait()));
    }

    private static GenerationId generationId(Slot slot, String entityId) {
        return new GenerationId(entityId.substring(0, entityId.lastIndexOf('@')), slot.toString());
    }

    private SchedulerRoads schedulers(ClusterNode node) {
        return new SchedulerRoads(node, config.cluster(), model, () -> complete);
    }

    private void startFrontEnd() throws IOException {
        ClusterNode node = started.node();
        SchedulerRoads schedulers = schedulers(node);
        Slot slot = Slot.of(node.self(), NodeRole.FRONTEND);
        ActorRef<FrontEnd.Command> frontEnd = FrontEnd.start(
                system,
                new FrontEnd.Setup(
                        model,
                        store.tokenizer(model),
                        store.eosTokens(model),
                        generations(node, slot, new NodeLogHolders(system, node)),
                        config.generation().resumeWithin(),
                        () -> frontEnds(node),
                        new ReplicaDescriber(
                                system,
                                store.config(model),
                                model,
                                numerics,
                                schedulers::first,
                                () -> node.homes().now().nodes().stream()
                                        .map(info -> info.node().hostPort())
                                        .toList(),
                                this::refused,
                                () -> frontEnds(node),
                                () -> NodeChaos.players(node, schedulers.slots()))));
        if (config.http().enabled()) {
            startHttp(node, schedulers, frontEnd);
        }
    }

    private void startHttp(ClusterNode node, SchedulerRoads schedulers, ActorRef<FrontEnd.Command> frontEnd)
            throws IOException {
        Troupe troupe = new Troupe(system, frontEnd, node.self().hostPort(), () -> {});
        HttpServer server =
                HttpServer.start(HttpBackend.of(troupe, store, config, schedulers::first), config.http(), () -> {});
        http = server;
        CoordinatedShutdown.get(system).addTask(CoordinatedShutdown.PhaseServiceUnbind(), "troupe-http", server::end);
    }

    /** A generation that goes on here has the value of its first id, on this node's slot. */
    private static FrontEnd.Generations generations(ClusterNode node, Slot slot, LogHolders holders) {
        return new FrontEnd.Generations() {
            @Override
            public LogHolders holders() {
                return holders;
            }

            @Override
            public RecipientRef<Generation.Command> begin() {
                return entity(UUID.randomUUID().toString());
            }

            @Override
            public RecipientRef<Generation.Command> resume(GenerationId original) {
                return entity(original.value());
            }

            private RecipientRef<Generation.Command> entity(String value) {
                return node.sharding().entity(GENERATION, slot.entity(value));
            }
        };
    }

    private static List<String> frontEnds(ClusterNode node) {
        return node.live(NodeRole.FRONTEND).stream()
                .map(slot -> slot.node().hostPort())
                .toList();
    }

    /** Members that cannot serve one replica together with this node, each with the reason. */
    public List<String> refused() {
        SlotHomes.Snapshot members = started.node().homes().now();
        return started.node().misfits().now().entrySet().stream()
                .filter(misfit -> members.node(misfit.getKey()).isPresent())
                .map(misfit -> "%s: %s".formatted(misfit.getKey().hostPort(), misfit.getValue()))
                .toList();
    }

    /** This process, as others know it: {@code host:port#uid}. */
    public String incarnation() {
        return started.node().self().toString();
    }

    /** Labels of its roles. */
    public List<String> roles() {
        return started.node().roles().stream().map(NodeRole::label).toList();
    }

    /** Where its HTTP port listens, if it has one. */
    public Optional<String> http() {
        return Optional.ofNullable(http).map(HttpServer::address);
    }

    /** The same as clients write it, with {@code http} or {@code https}. */
    public Optional<String> url() {
        return Optional.ofNullable(http).map(HttpServer::url);
    }

    /** One sentence about each of its devices. */
    public List<String> devices() {
        return devices.reasons();
    }

    /** Answers when all members are there and their slots can be used from here. */
    public CompletionStage<SlotHomes.Snapshot> whenComplete() {
        return whenComplete(COMPLETE_WITHIN);
    }

    private CompletionStage<SlotHomes.Snapshot> whenComplete(Duration within) {
        return AskPattern.<SlotResolver.Command, SlotHomes.Snapshot>ask(
                started.resolver(),
                replyTo -> new SlotResolver.WhenComplete(config.cluster().nodes(), replyTo),
                within,
                system.scheduler());
    }

    public ActorSystem<Void> system() {
        return system;
    }

    /** Leaves the cluster and ends; {@code system().getWhenTerminated()} tells when. */
    @Override
    public void close() {
        system.terminate();
    }
}
