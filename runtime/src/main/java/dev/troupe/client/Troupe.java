package dev.troupe.client;

import com.typesafe.config.Config;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.stream.OverflowStrategy;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;

/**
 * A running Troupe as a Java program sees it: ask for a generation, get a stream of events. It may be a cluster reached
 * through one of its front ends, or a whole replica in this process.
 */
public final class Troupe implements AutoCloseable {
    /** How long a front end may be silent before it counts as lost. */
    static final Duration PATIENCE = Duration.ofSeconds(20);

    private final ActorSystem<?> system;
    private final ActorRef<FrontEnd.Command> frontEnd;
    private final String name;
    private final Runnable onClose;

    /**
     * A facade over a front end.
     *
     * @param name of the front end, for people
     * @param onClose ends what was started for it
     */
    public Troupe(ActorSystem<?> system, ActorRef<FrontEnd.Command> frontEnd, String name, Runnable onClose) {
        this.system = system;
        this.frontEnd = frontEnd;
        this.name = name;
        this.onClose = onClose;
    }

    /**
     * Reaches the front end at {@code hostPort} from an actor system of yours. The system need not be a member of the
     * cluster; it must have Artery on, with the same transport.
     *
     * @param hostPort the node's Artery address, for example {@code 127.0.0.1:25520}
     */
    public static Troupe connect(ActorSystem<?> system, String hostPort) {
        String protocol = system.address().protocol();
        ActorRef<FrontEnd.Command> frontEnd = ActorRefResolver.get(system)
                .resolveActorRef("%s://%s@%s/system/%s".formatted(protocol, FrontEnd.SYSTEM, hostPort, FrontEnd.NAME));
        return new Troupe(system, frontEnd, hostPort, () -> {});
    }

    /** Reaches the front end at {@code hostPort} with an actor system of its own, which {@link #close()} ends. */
    public static Troupe connect(String hostPort, Config config) {
        ActorSystem<Void> system =
                ActorSystem.create(org.apache.pekko.actor.typed.javadsl.Behaviors.empty(), FrontEnd.SYSTEM, config);
        Troupe troupe = connect(system, hostPort);
        return new Troupe(system, troupe.frontEnd, hostPort, system::terminate);
    }

    /**
     * A generation as a stream with back-pressure. Every materialisation is a generation of its own; cancelling it frees
     * the sequence's blocks within a step. A generation that fails fails the stream with
     * {@link RequestFailedException}.
     */
    public Source<TextEvent, NotUsed> generate(TextRequest request) {
        return Source.<TextEvent>queue(StreamReader.CREDIT, OverflowStrategy.backpressure())
                .mapMaterializedValue(queue -> {
                    ActorRef<StreamReader.Message> reader = system.systemActorOf(
                            StreamReader.create(queue, name, PATIENCE),
                            "troupe-reader-" + UUID.randomUUID(),
                            Props.empty());
                    frontEnd.tell(new FrontEnd.Open(request, reader));
                    return NotUsed.getInstance();
                });
    }

    /** A whole generation, when it has ended. */
    public CompletionStage<Completion> complete(TextRequest request) {
        return generate(request).runWith(Sink.<TextEvent>seq(), system).thenApply(Completion::of);
    }

    /** What serves here, and how it is split. */
    public CompletionStage<Description> describe(Duration within) {
        return AskPattern.ask(frontEnd, FrontEnd.Describe::new, within, system.scheduler());
    }

    /** The same, which runs {@code more} after all else when it is closed. */
    public Troupe alsoClosing(Runnable more) {
        return new Troupe(system, frontEnd, name, () -> {
            close();
            more.run();
        });
    }

    /** The actor system that this facade uses. */
    public ActorSystem<?> system() {
        return system;
    }

    /**
     * What serves.
     *
     * @param model registered id
     * @param ready whether a full plan is placed
     * @param nodes nodes of the cluster as this front end knows them
     * @param refused those of them that cannot serve together with this front end's node, each with the reason
     * @param placement who hosts which layers, heads and vocabulary rows, as a drawing
     * @param numerics numerics id
     */
    public record Description(
            String model,
            boolean ready,
            List<String> nodes,
            List<String> refused,
            List<String> placement,
            String numerics) {
        public Description {
            nodes = List.copyOf(nodes);
            refused = List.copyOf(refused);
            placement = List.copyOf(placement);
        }
    }

    @Override
    public void close() {
        onClose.run();
    }
}
