package dev.troupe.cluster.guardian;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The actor that compares every newcomer with this node and says at once, on both, when they cannot serve one replica:
 * another numerics id, or another checkpoint under the same model id, naming the first tensor or file that differs.
 * Placements leave such nodes out by themselves; this is so that nobody has to wonder why.
 */
public final class Acquaintance {
    private static final Logger LOG = LoggerFactory.getLogger(Acquaintance.class);

    private final Setup setup;
    private final Set<Incarnation> met = new HashSet<>();
    private final ActorRef<NodeGuardian.PartDigests> answers;

    private Acquaintance(ActorContext<Command> context, Setup setup) {
        this.setup = setup;
        this.answers = context.messageAdapter(NodeGuardian.PartDigests.class, Compared::new);
    }

    /** What it understands. */
    public sealed interface Command {}

    /** A member has described itself. */
    public record Meet(NodeInfo node) implements Command {}

    private record Compared(NodeGuardian.PartDigests digests) implements Command {}

    /**
     * What it is made of.
     *
     * @param numerics this node's numerics id
     * @param models this node's checkpoints
     * @param misfits where to publish who does not fit
     * @param guardians reaches the guardian of a member
     */
    public record Setup(
            Incarnation self,
            String numerics,
            List<ModelCard> models,
            Misfits misfits,
            Function<Incarnation, ActorRef<NodeGuardian.Command>> guardians) {
        public Setup {
            models = List.copyOf(models);
        }
    }

    public static Behavior<Command> create(Setup setup) {
        return Behaviors.setup(context -> {
            Acquaintance acquaintance = new Acquaintance(context, setup);
            return Behaviors.receiveMessage(command -> {
                switch (command) {
                    case Meet meet -> acquaintance.meet(meet.node());
                    case Compared compared -> acquaintance.compared(compared.digests());
                }
                return Behaviors.same();
            });
        });
    }

    private void meet(NodeInfo other) {
        if (other.node().equals(setup.self()) || !other.has(NodeRole.COMPUTE) || !met.add(other.node())) {
            return;
        }
        if (!other.numerics().equals(setup.numerics())) {
            misfit(
                    other.node(),
                    "numerics id '%s' there, '%s' here: run the same version with the same numerics and cache type"
                            .formatted(other.numerics(), setup.numerics()));
            return;
        }
        Map<String, String> theirs = new HashMap<>(other.models().stream()
                .collect(Collectors.toMap(RegisteredModel::id, RegisteredModel::fingerprint, (first, _) -> first)));
        for (ModelCard card : setup.models()) {
            String own = card.registered().fingerprint();
            String id = card.registered().id();
            String fingerprint = theirs.getOrDefault(id, "");
            if (!own.isEmpty() && !fingerprint.isEmpty() && !own.equals(fingerprint)) {
                setup.guardians().apply(other.node()).tell(new NodeGuardian.DescribeParts(id, answers));
            }
        }
    }

    private void compared(NodeGuardian.PartDigests digests) {
        Optional<ModelCard> card = setup.models().stream()
                .filter(own -> own.registered().id().equals(digests.model()))
                .findFirst();
        misfit(
                digests.node(),
                "another checkpoint of model '%s': %s"
                        .formatted(
                                digests.model(),
                                card.flatMap(own -> own.difference(digests.parts()))
                                        .orElse("its fingerprint differs; copy one checkpoint to both nodes")));
    }

    private void misfit(Incarnation node, String reason) {
        setup.misfits().put(node, reason);
        LOG.error(
                "node {} cannot serve one replica together with {}: {}",
                node.hostPort(),
                setup.self().hostPort(),
                reason);
    }
}
