package dev.troupe.node;

import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigUtil;
import dev.troupe.client.FrontEnd;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.generation.Generation;
import dev.troupe.generation.MemoryTokenLog;
import dev.troupe.http.HttpServer;
import dev.troupe.kernel.Devices;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.NumericsId;
import dev.troupe.model.Partition;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Placement;
import dev.troupe.serving.Router;
import dev.troupe.serving.Scheduler;
import dev.troupe.stage.LaneRegistry;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardHost;
import dev.troupe.stage.ShardRoster;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.UnaryOperator;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** A whole replica in this process, without a cluster and without a network: every rank is an actor here. */
public final class LocalTroupe {
    private static final String GENERATION = "troupe-generation-";

    private LocalTroupe() {}

    /**
     * Starts a replica of {@code model}, split, with all other settings at their defaults.
     *
     * @throws IOException if the model is missing or malformed
     * @throws IllegalArgumentException if the model cannot be split like that; the message says what works
     */
    public static Troupe start(ModelLocation model, int pipelineParallel, int tensorParallel) throws IOException {
        return start(model, pipelineParallel, tensorParallel, Map.of());
    }

    /**
     * The same.
     *
     * @param more settings by whole key
     */
    public static Troupe start(ModelLocation model, int pipelineParallel, int tensorParallel, Map<String, ?> more)
            throws IOException {
        Map<String, Object> settings = new LinkedHashMap<>(more);
        settings.put("troupe.models", Map.of(ConfigUtil.quoteString(model.id()), model.text()));
        settings.put("troupe.replica.pipeline-parallel", pipelineParallel);
        settings.put("troupe.replica.tensor-parallel", tensorParallel);
        settings.put("troupe.device.threads", 1);
        return start(NodeConfig.of(ConfigFactory.parseMap(settings)), LoadProgress.NONE);
    }

    /**
     * Starts a replica as {@code config} says; its nodes and roads do not matter here.
     *
     * @throws IOException if the model is missing or malformed
     * @throws IllegalArgumentException if the model cannot be split like that; the message says what works
     */
    public static Troupe start(NodeConfig config, LoadProgress progress) throws IOException {
        return start(config, progress, UnaryOperator.identity());
    }

    /**
     * The same.
     *
     * @param observer gets the kernels of every rank and gives those that the rank takes instead
     */
    public static Troupe start(NodeConfig config, LoadProgress progress, UnaryOperator<Kernels> observer)
            throws IOException {
        return open(config, progress, observer).troupe();
    }

    /**
     * A replica in this process, with an HTTP port as {@code config} says.
     *
     * @throws IOException if the model is missing or malformed, or the port cannot be bound
     * @throws IllegalArgumentException if the model cannot be split like that; the message says what works
     */
    public static HttpServer serve(NodeConfig config, LoadProgress progress) throws IOException {
        return serve(config, progress, UnaryOperator.identity());
    }

    /**
     * The same.
     *
     * @param observer gets the kernels of every rank and gives those that the rank takes instead
     */
    public static HttpServer serve(NodeConfig config, LoadProgress progress, UnaryOperator<Kernels> observer)
            throws IOException {
        HttpServer.tls(config.http()); // what is wrong with its files shows before weights are read
        Opened opened = open(config, progress, observer);
        try {
            return HttpServer.start(
                    HttpBackend.of(opened.troupe(), opened.store(), config, () -> Optional.of(opened.scheduler())),
                    config.http(),
                    opened.troupe()::close);
        } catch (IOException | RuntimeException e) {
            opened.troupe().close();
            throw e;
        }
    }

    /** A replica that runs. */
    private record Opened(Troupe troupe, ModelStore store, RecipientRef<Scheduler.Command> scheduler) {}

    private static Opened open(NodeConfig config, LoadProgress progress, UnaryOperator<Kernels> observer)
            throws IOException {
        String model = config.replica().model();
        int ranks = config.replica().pipelineParallel() * config.replica().tensorParallel();
        Devices devices = DeviceKernels.of(config.device(), ranks, config.numerics());
        ModelStore store = ModelStore.open(config, devices, observer, progress);
        try {
            Partition.even(
                    store.config(model),
                    config.replica().pipelineParallel(),
                    config.replica().tensorParallel());
            ActorSystem<Void> system = ActorSystem.create(
                    Behaviors.empty(),
                    FrontEnd.SYSTEM,
                    ConfigFactory.parseResources("dev/troupe/node/local-system.conf")
                            .withFallback(ConfigFactory.defaultReference())
                            .resolve());
            system.getWhenTerminated().thenRun(store::close);
            RecipientRef<Scheduler.Command> scheduler = scheduler(system, config, store, devices);
            // The first message makes it place the model, so that weights are loaded while the tokenizer is read.
            scheduler.tell(new Scheduler.GetStats(system.ignoreRef()));
            ActorRef<FrontEnd.Command> frontEnd = frontEnd(system, config, store, scheduler);
            return new Opened(new Troupe(system, frontEnd, "this process", () -> end(system)), store, scheduler);
        } catch (RuntimeException e) {
            store.close();
            throw e;
        }
    }

    private static RecipientRef<Scheduler.Command> scheduler(
            ActorSystem<Void> system, NodeConfig config, ModelStore store, Devices devices) {
        String model = config.replica().model();
        String numerics = NumericsId.of(config.numerics(), config.kv().type()).value();
        List<String> places = devices.all().stream().map(KernelProvider::device).toList();
        ShardHost host = new ShardHost(
                "", "", store, (peer, message) -> peer.ref().tell(message), LaneRegistry.NONE, new ShardRoster());
        ActorRef<Placement.Command> placement = system.systemActorOf(
                LocalPlacement.create(
                        store.config(model),
                        partition -> new ReplicaPlan(
                                model,
                                0,
                                "",
                                numerics,
                                partition,
                                LocalPlacement.slots(partition, places),
                                config.kv().type(),
                                config.kv().blockSize(),
                                store.kvBlocks(model, partition, config.kv())),
                        host),
                "troupe-placement",
                Props.empty());
        return system.systemActorOf(
                Scheduler.create(
                        config.scheduler()
                                .alone()
                                .of(config.replica(), 0, store.config(model).maxPositions()),
                        placement,
                        System::nanoTime),
                "troupe-scheduler",
                Props.empty());
    }

    private static ActorRef<FrontEnd.Command> frontEnd(
            ActorSystem<Void> system, NodeConfig config, ModelStore store, RecipientRef<Scheduler.Command> scheduler)
            throws IOException {
        String model = config.replica().model();
        String numerics = NumericsId.of(config.numerics(), config.kv().type()).value();
        return FrontEnd.start(
                system,
                new FrontEnd.Setup(
                        model,
                        store.tokenizer(model),
                        store.eosTokens(model),
                        generations(system, Router.single(model, scheduler)),
                        Generation.Settings.standard().firstSubscriber(),
                        List::of,
                        new ReplicaDescriber(
                                system,
                                store.config(model),
                                model,
                                numerics,
                                () -> Optional.of(scheduler),
                                List::of,
                                List::of,
                                List::of,
                                Map::of)));
    }

    private static FrontEnd.Generations generations(ActorSystem<Void> system, Router router) {
        return new FrontEnd.Generations() {
            @Override
            public RecipientRef<Generation.Command> begin() {
                GenerationId id = new GenerationId(UUID.randomUUID().toString(), LocalPlacement.FRONT_END);
                return system.systemActorOf(
                        Generation.create(id, router, MemoryTokenLog::open, Generation.Settings.standard()),
                        GENERATION + id.value(),
                        Props.empty());
            }

            @Override
            public RecipientRef<Generation.Command> resume(GenerationId original) {
                return ActorRefResolver.get(system)
                        .resolveActorRef("%s/system/%s".formatted(system.address(), GENERATION + original.value()));
            }
        };
    }

    private static void end(ActorSystem<Void> system) {
        system.terminate();
        system.getWhenTerminated().toCompletableFuture().join();
    }
}
