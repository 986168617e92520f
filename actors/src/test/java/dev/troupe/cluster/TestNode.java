package dev.troupe.cluster;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.cluster.guardian.ModelCard;
import dev.troupe.cluster.guardian.NodeGuardian;
import dev.troupe.cluster.guardian.RegisteredModel;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.placement.ModelSpec;
import dev.troupe.cluster.placement.PlacementTimes;
import dev.troupe.cluster.slot.EntityKind;
import dev.troupe.cluster.slot.SlotResolver;
import dev.troupe.kvstore.KvType;
import dev.troupe.plan.DeviceProfile;
import dev.troupe.plan.Footprint;
import dev.troupe.plan.Models;
import dev.troupe.stage.Peer;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.TensorShard;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Join;

/**
 * A node of a cluster for tests: real guardian, slots, placer and watch; ranks and stages that only say that they are there.
 * Its model is {@code tales}, with 8 layers and 4 KV heads.
 */
public final class TestNode implements AutoCloseable {
    /** Numerics id of nodes that fit together. */
    public static final String NUMERICS = "exact-test";

    /** What stages of this JVM were told about lost ranks. */
    static final List<String> LOSSES = new CopyOnWriteArrayList<>();

    private final ActorSystem<Void> system;
    private final String lane;
    private final ClusterNode node;
    private final ActorRef<NodeGuardian.Command> guardian;
    private final ActorRef<SlotResolver.Command> resolver;

    /**
     * What a test node is like.
     *
     * @param host loopback address
     * @param port 0 for any
     * @param roles as in {@code pekko.cluster.roles}
     * @param numerics numerics id
     * @param fingerprint of its model
     */
    public record Options(String host, int port, List<String> roles, String numerics, String fingerprint) {
        public Options {
            roles = List.copyOf(roles);
        }

        /** A node that fits others. */
        public static Options of(String host, int port, String... roles) {
            return new Options(host, port, List.of(roles), NUMERICS, "f00d");
        }
    }

    private TestNode(Options options) {
        lane = lane(options);
        system = ActorSystem.create(Behaviors.empty(), "troupe", config(options));
        ClusterNode.Started started = ClusterNode.start(system, profile(options), _ -> List.of(shards(), stages()));
        node = started.node();
        guardian = started.guardian();
        resolver = started.resolver();
    }

    /** Starts a node; it is alone until it joins. */
    public static TestNode start(Options options) {
        return new TestNode(options);
    }

    private static NodeProfile profile(Options options) {
        boolean compute = options.roles().contains(NodeRole.COMPUTE.label());
        ModelCard card = new ModelCard(
                new RegisteredModel("tales", options.fingerprint()),
                Map.of("tensor model.norm.weight", "norm-" + options.fingerprint()));
        return new NodeProfile(
                compute ? List.of(new DeviceProfile("cpu0", 1, 1L << 28)) : List.of(),
                lane(options),
                options.numerics(),
                List.of(new ModelSpec(
                        card,
                        Models.config(8, 4, 2048),
                        options.numerics(),
                        null,
                        KvType.F16,
                        32,
                        64,
                        Footprint.UNKNOWN)),
                new PlacementTimes(Duration.ofMillis(400), Duration.ofSeconds(8)));
    }

    /** Nobody listens there. */
    private static String lane(Options options) {
        return options.host() + ":9";
    }

    private static EntityKind<TensorShard.Command> shards() {
        return EntityKind.of(
                ClusterNode.SHARD, NodeRole.COMPUTE, TensorShard.Stop.INSTANCE, (slot, _) -> rank(slot.toString()));
    }

    /** A rank that says where it is: in place of its lane stands its own slot. */
    private static Behavior<TensorShard.Command> rank(String slot) {
        return Behaviors.setup(context -> Behaviors.receiveMessage(command -> switch (command) {
            case TensorShard.Prepare prepare -> {
                prepare.replyTo().tell(new PipelineStage.Preparing(new Peer(prepare.id(), slot, context.getSelf())));
                yield Behaviors.same();
            }
            case TensorShard.Stop _ -> Behaviors.stopped();
            default -> Behaviors.same();
        }));
    }

    /** Stages that only note what they are told about lost ranks. */
    private static EntityKind<PipelineStage.Command> stages() {
        return EntityKind.of(
                ClusterNode.STAGE,
                NodeRole.CONTROL,
                PipelineStage.Stop.INSTANCE,
                (_, _) -> Behaviors.receiveMessage(command -> switch (command) {
                    case PipelineStage.RankLost lost -> {
                        LOSSES.add("%d.%d %s"
                                .formatted(lost.id().stage(), lost.id().rank(), lost.reason()));
                        yield Behaviors.same();
                    }
                    case PipelineStage.Stop _ -> Behaviors.stopped();
                    default -> Behaviors.same();
                }));
    }

    private static Config config(Options options) {
        return ConfigFactory.parseMap(Map.of(
                        "pekko.remote.artery.canonical.hostname",
                        options.host(),
                        "pekko.remote.artery.canonical.port",
                        options.port(),
                        "pekko.cluster.roles",
                        options.roles()))
                .withFallback(ConfigFactory.parseResources(TestNode.class, "test-node.conf"))
                .withFallback(ConfigFactory.load())
                .resolve();
    }

    /** Becomes a member of the cluster at {@code seed}; of one of its own when that is its own address. */
    public void join(Address seed) {
        Cluster cluster = Cluster.get(system);
        cluster.manager().tell(Join.create(seed));
    }

    /** Where it says that it listens for tensors. */
    public String lane() {
        return lane;
    }

    /** Where it is. */
    public Address address() {
        return Cluster.get(system).selfMember().address();
    }

    public ActorSystem<Void> system() {
        return system;
    }

    public ClusterNode node() {
        return node;
    }

    public ActorRef<NodeGuardian.Command> guardian() {
        return guardian;
    }

    public ActorRef<SlotResolver.Command> resolver() {
        return resolver;
    }

    @Override
    public void close() {
        system.terminate();
    }
}
