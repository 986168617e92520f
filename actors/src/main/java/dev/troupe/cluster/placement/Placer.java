package dev.troupe.cluster.placement;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.watch.NodeWatch;
import dev.troupe.cluster.watch.Suspects;
import dev.troupe.plan.Site;
import dev.troupe.serving.Placement;
import dev.troupe.stage.PipelineStage;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * The actor of a control node that gives schedulers their epochs: it holds a ballot among the guardians of all members, and
 * spreads the replica over the devices of those that promise. Every request is a {@link PlacementRound} of its own.
 *
 * <p>Pipeline stages are placed beside the scheduler, in this node's control slot: no other loss can take them.
 */
public final class Placer {
    private Placer() {}

    /**
     * What a placer is made of.
     *
     * @param self this node
     * @param models what can be placed
     * @param times how long to wait
     * @param suspects members that nobody waits for
     * @param watch who tells the stages of a lost node
     * @param stages gives the pipeline stage of that entity id
     * @param sites devices that may be used now, as far as this node knows
     * @param mostDevices how many devices there were when most of them were there
     * @param leaving whether this node has told the others that it leaves: it issues no epoch then, or it would contend for the
     *     replica with those that go on
     */
    public record Setup(
            Incarnation self,
            List<ModelSpec> models,
            PlacementTimes times,
            Suspects suspects,
            ActorRef<NodeWatch.Command> watch,
            Function<String, RecipientRef<PipelineStage.Command>> stages,
            Supplier<List<Site>> sites,
            IntSupplier mostDevices,
            BooleanSupplier leaving) {
        public Setup {
            models = List.copyOf(models);
        }
    }

    /** A placer; one on a node, because the rounds it issues must only rise. */
    public static Behavior<Placement.Command> create(Setup setup) {
        return Behaviors.setup(context -> {
            Rounds rounds = new Rounds(setup.self().uid());
            return Behaviors.receiveMessage(command -> {
                switch (command) {
                    case Placement.Request request
                    when setup.leaving().getAsBoolean() -> request.replyTo().tell(withdrawn(setup));
                    case Placement.Request request ->
                        model(setup, request.model())
                                .ifPresentOrElse(
                                        model -> context.spawnAnonymous(
                                                PlacementRound.create(setup, rounds, model, request)),
                                        () -> request.replyTo().tell(new Placement.NotPlaced(unknown(setup, request))));
                    case Placement.Inquiry inquiry ->
                        model(setup, inquiry.model())
                                .ifPresentOrElse(
                                        model -> context.spawnAnonymous(Survey.create(setup, model, inquiry)),
                                        () -> inquiry.replyTo().tell(new Placement.Findings(List.of(), 0)));
                }
                return Behaviors.same();
            });
        });
    }

    static Placement.Withdrawn withdrawn(Setup setup) {
        return new Placement.Withdrawn(
                "node %s leaves the cluster".formatted(setup.self().hostPort()));
    }

    private static Optional<ModelSpec> model(Setup setup, String id) {
        return setup.models().stream().filter(spec -> spec.id().equals(id)).findFirst();
    }

    private static String unknown(Setup setup, Placement.Request request) {
        return "model '%s' is not registered on %s; registered: %s"
                .formatted(
                        request.model(),
                        setup.self().hostPort(),
                        setup.models().isEmpty()
                                ? "none"
                                : setup.models().stream().map(ModelSpec::id).collect(Collectors.joining(", ")));
    }
}
