package dev.troupe.cluster.guardian;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.plan.DeviceProfile;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.ShardRoster;
import dev.troupe.stage.TensorShard;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The actor that speaks for one node: what it has, which ballots it has promised, how its shards are. It lives under a
 * name that is the same everywhere, so any node reaches it from the member's address alone, without agreement with anybody. It
 * runs no kernel, so it answers while the node's shards compute.
 */
public final class NodeGuardian {
    private static final String NAME = "troupe-node";

    /** A unit of work that takes longer than this when its epoch is in doubt says that the device hangs. */
    public static final Duration HANGS_AFTER = Duration.ofSeconds(3);

    private static final Logger LOG = LoggerFactory.getLogger(NodeGuardian.class);

    private final Setup setup;

    private NodeGuardian(Setup setup) {
        this.setup = setup;
    }

    /** What a guardian understands. */
    public sealed interface Command {}

    /** What do you have? */
    public record Describe(ActorRef<NodeInfo> replyTo) implements Command {}

    /**
     * Promise a ballot.
     *
     * @param replica whose, for example {@code llama/0}
     */
    public record Promise(String replica, Epoch epoch, Terms terms, ActorRef<Vote> replyTo) implements Command {}

    /**
     * How are your shards? Also answers whether the node is there.
     *
     * @param stuckAfter how long the local work of one segment may take
     */
    public record Inquire(Duration stuckAfter, ActorRef<Health> replyTo) implements Command {}

    /** Digests of the tensors and files of a checkpoint, to find out where two differ. */
    public record DescribeParts(String model, ActorRef<PartDigests> replyTo) implements Command {}

    /** Answer to {@link Inquire}, in no order. */
    public record Health(Incarnation node, List<ShardReport> shards) {
        public Health {
            shards = List.copyOf(shards);
        }
    }

    /** Answer to {@link DescribeParts}; empty where they are not known. */
    public record PartDigests(Incarnation node, String model, Map<String, String> parts) {
        public PartDigests {
            parts = Map.copyOf(parts);
        }
    }

    /**
     * What a guardian is made of.
     *
     * @param lane where the node listens for tensors; empty where there is no lane
     * @param numerics numerics id of its kernels
     * @param models checkpoints it can load
     * @param roster its shards
     * @param promises shared with {@link PromisedLoader}
     * @param homes slots whose home its regions know now
     */
    public record Setup(
            Incarnation self,
            List<NodeRole> roles,
            List<DeviceProfile> devices,
            String lane,
            String numerics,
            List<ModelCard> models,
            ShardRoster roster,
            Promises promises,
            Supplier<List<Slot>> homes) {
        public Setup {
            roles = List.copyOf(roles);
            devices = List.copyOf(devices);
            models = List.copyOf(models);
        }
    }

    /** Starts the guardian of {@code system}'s node, outside of the user's actors. */
    public static ActorRef<Command> start(ActorSystem<?> system, Setup setup) {
        return system.systemActorOf(create(setup), NAME, Props.empty());
    }

    /** The guardian of the node at {@code address}, whether or not it is there. */
    public static ActorRef<Command> at(ActorSystem<?> system, Address address) {
        String path = "%s/system/%s".formatted(address, NAME);
        return ActorRefResolver.get(system).resolveActorRef(path);
    }

    static Behavior<Command> create(Setup setup) {
        NodeGuardian guardian = new NodeGuardian(setup);
        return Behaviors.receiveMessage(command -> {
            guardian.answer(command);
            return Behaviors.same();
        });
    }

    private void answer(Command command) {
        switch (command) {
            case Describe describe -> describe.replyTo().tell(info());
            case Promise promise -> promise.replyTo().tell(vote(promise));
            case Inquire inquire -> inquire.replyTo().tell(health(inquire.stuckAfter()));
            case DescribeParts describe ->
                describe.replyTo()
                        .tell(new PartDigests(
                                setup.self(),
                                describe.model(),
                                card(describe.model()).map(ModelCard::parts).orElse(Map.of())));
        }
    }

    private NodeInfo info() {
        return new NodeInfo(
                setup.self(),
                setup.roles(),
                setup.devices(),
                setup.lane(),
                setup.numerics(),
                setup.models().stream().map(ModelCard::registered).toList(),
                setup.homes().get());
    }

    private Vote vote(Promise promise) {
        Epoch highest = setup.promises().offer(promise.replica(), promise.epoch());
        if (!highest.equals(promise.epoch())) {
            LOG.debug("refused ballot {} of {}: promised {}", promise.epoch(), promise.replica(), highest);
            return new Vote.Refused(promise.epoch(), setup.self(), highest);
        }
        endSuperseded(promise.replica());
        return unfit(promise).orElseGet(() -> new Vote.Promised(promise.epoch(), info()));
    }

    private void endSuperseded(String replica) {
        List<ShardRoster.Resident> residents = setup.roster().residents();
        Epoch highest = setup.promises().highest(replica);
        for (ShardRoster.Resident resident : residents) {
            if (setup.promises().isSuperseded(replica, resident.id().epoch())) {
                LOG.info("ending {} of {}: superseded by {}", resident.id(), replica, highest);
                resident.ref().tell(new TensorShard.Superseded(highest));
            }
        }
        setup.promises()
                .retain(
                        replica,
                        residents.stream()
                                .map(resident -> resident.id().epoch())
                                .collect(Collectors.toSet()));
    }

    /** Why the devices of this node cannot take part, if they cannot. A node without devices has nothing to compare. */
    private Optional<Vote> unfit(Promise promise) {
        if (!setup.roles().contains(NodeRole.COMPUTE)) {
            return Optional.empty();
        }
        if (setup.promises().isLeaving()) {
            return Optional.of(unfit(promise, "it is leaving the cluster", Map.of()));
        }
        Terms terms = promise.terms();
        if (!terms.numerics().equals(setup.numerics())) {
            return Optional.of(unfit(
                    promise,
                    "its numerics id is '%s', the replica's is '%s': run the same version with the same numerics and cache type on all nodes"
                            .formatted(setup.numerics(), terms.numerics()),
                    Map.of()));
        }
        Optional<ModelCard> card = card(terms.model());
        if (card.isEmpty()) {
            return Optional.of(unfit(
                    promise,
                    "model '%s' is not registered there; registered: %s".formatted(terms.model(), registeredIds()),
                    Map.of()));
        }
        String own = card.get().registered().fingerprint();
        if (!own.isEmpty() && !terms.fingerprint().isEmpty() && !own.equals(terms.fingerprint())) {
            return Optional.of(unfit(
                    promise,
                    "its checkpoint of '%s' has fingerprint %s, the replica's has %s"
                            .formatted(terms.model(), own, terms.fingerprint()),
                    card.get().parts()));
        }
        return hanging()
                .map(report -> unfit(
                        promise,
                        "its device %s has been in one unit of work for %.1f s (%s, step %d): it hangs"
                                .formatted(report.slot(), report.age().toMillis() / 1000.0, report.id(), report.step()),
                        Map.of()));
    }

    /** A shard that does not come back from its kernel, if there is one; it cannot hear that it is to end. */
    private Optional<ShardReport> hanging() {
        return health(HANGS_AFTER).shards().stream()
                .filter(report -> report.condition() == ShardReport.Condition.STUCK)
                .findFirst();
    }

    private Vote unfit(Promise promise, String reason, Map<String, String> parts) {
        return new Vote.Unfit(promise.epoch(), setup.self(), reason, parts);
    }

    private Optional<ModelCard> card(String model) {
        return setup.models().stream()
                .filter(card -> card.registered().id().equals(model))
                .findFirst();
    }

    private String registeredIds() {
        return setup.models().isEmpty()
                ? "none"
                : setup.models().stream().map(card -> card.registered().id()).collect(Collectors.joining(", "));
    }

    private Health health(Duration stuckAfter) {
        long now = System.nanoTime();
        return new Health(
                setup.self(),
                setup.roster().residents().stream()
                        .map(resident -> ShardReport.of(resident.progress(), resident.slot(), now, stuckAfter))
                        .toList());
    }
}
