package dev.troupe.client;

import com.typesafe.config.Config;
import dev.troupe.generation.LogKeeper;
import dev.troupe.serving.meter.PipelineStats;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.RecipientRef;
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

    /** For one of several questions. */
    private static final Duration LEAST_ATTEMPT = Duration.ofSeconds(1);

    private final ActorSystem<?> system;
    private final FrontEnds frontEnds;
    private final Function<String, RecipientRef<FrontEnd.Command>> resolve;
    private final Runnable onClose;

    private Troupe(
            ActorSystem<?> system,
            FrontEnds frontEnds,
            Function<String, RecipientRef<FrontEnd.Command>> resolve,
            Runnable onClose) {
        this.system = system;
        this.frontEnds = frontEnds;
        this.resolve = resolve;
        this.onClose = onClose;
    }

    /**
     * A facade over one front end.
     *
     * @param name of the front end, for people
     * @param onClose ends what was started for it
     */
    public Troupe(ActorSystem<?> system, ActorRef<FrontEnd.Command> frontEnd, String name, Runnable onClose) {
        this(system, new FrontEnds(List.of(name)), _ -> frontEnd, onClose);
    }

    /**
     * Reaches a cluster from an actor system of yours. The system need not be a member of the cluster; it must have Artery on,
     * with the same transport. The other front ends of the cluster are learnt from the first one that answers: a generation goes
     * on at another one when its own does not answer any more.
     *
     * @param hostPorts the Artery address of a front end, for example {@code 127.0.0.1:25520}, or several with commas between
     */
    public static Troupe connect(ActorSystem<?> system, String hostPorts) {
        return connect(system, hostPorts, () -> {});
    }

    /** Reaches the front ends at {@code hostPorts} with an actor system of its own, which {@link #close()} ends. */
    public static Troupe connect(String hostPorts, Config config) {
        ActorSystem<Void> system =
                ActorSystem.create(org.apache.pekko.actor.typed.javadsl.Behaviors.empty(), FrontEnd.SYSTEM, config);
        return connect(system, hostPorts, system::terminate);
    }

    private static Troupe connect(ActorSystem<?> system, String hostPorts, Runnable onClose) {
        String protocol = system.address().protocol();
        ActorRefResolver resolver = ActorRefResolver.get(system);
        Runnable end = ReturnedNodes.start(system, "troupe-returned-nodes-" + UUID.randomUUID());
        return new Troupe(
                system,
                FrontEnds.parse(hostPorts),
                hostPort -> resolver.resolveActorRef(
                        "%s://%s@%s/system/%s".formatted(protocol, FrontEnd.SYSTEM, hostPort, FrontEnd.NAME)),
                () -> {
                    end.run();
                    onClose.run();
                });
    }

    /**
     * A generation as a stream with back-pressure. Every materialisation is a generation of its own; cancelling it frees
     * the sequence's blocks within a step. When its front end is lost it goes on at another, after the last event that was seen. A
     * generation that fails fails the stream with {@link RequestFailedException}.
     */
    public Source<TextEvent, NotUsed> generate(TextRequest request) {
        return read(request, "", () -> false);
    }

    /**
     * The same, whose client may leave the generation to go on without it: whoever has its ticket comes back to it.
     *
     * @param leaves asked when the stream is cancelled: whether the generation goes on, or ends
     */
    public Source<TextEvent, NotUsed> generate(TextRequest request, BooleanSupplier leaves) {
        return read(request, "", leaves);
    }

    /**
     * Goes on with a generation that somebody else has begun, who then hears no more of it. All of its events come again but {@link
     * TextEvent.Started}.
     *
     * @param id of the generation, as {@link TextEvent.Started} and {@link #find} tell it
     * @param request what it computes, without which its events cannot be made
     * @param leaves as for {@link #generate(TextRequest, BooleanSupplier)}
     */
    public Source<TextEvent, NotUsed> resume(String id, TextRequest request, BooleanSupplier leaves) {
        return read(request, id, leaves);
    }

    private Source<TextEvent, NotUsed> read(TextRequest request, String id, BooleanSupplier leaves) {
        return Source.<TextEvent>queue(StreamReader.CREDIT, OverflowStrategy.backpressure(), StreamReader.MOST_OFFERS)
                .mapMaterializedValue(queue -> {
                    system.systemActorOf(
                            StreamReader.create(new StreamReader.Setup(
                                    request, id, queue, frontEnds, resolve, leaves, PATIENCE, System::nanoTime)),
                            "troupe-reader-" + UUID.randomUUID(),
                            Props.empty());
                    return NotUsed.getInstance();
                });
    }

    /**
     * Looks for a generation by its ticket, wherever in the cluster its log is held.
     *
     * @param ticket id of the ticket
     * @param tenant whose it is; the generations of others are not found
     */
    public CompletionStage<Optional<LogKeeper.Held>> find(String ticket, String tenant, Duration within) {
        return AskPattern.<FrontEnd.Command, FrontEnd.Found>ask(
                        resolve.apply(frontEnds.current()),
                        replyTo -> new FrontEnd.Find(ticket, tenant, replyTo),
                        within,
                        system.scheduler())
                .thenApply(FrontEnd.Found::held);
    }

    /**
     * Ends a generation that somebody else has begun, which is certain to come to its end when this is answered; false if it had
     * already, and stays as it is. Fails with {@link RequestFailedException} if others take it over meanwhile.
     */
    public CompletionStage<Boolean> cancel(LogKeeper.Held held, Duration within) {
        return AskPattern.<FrontEnd.Command, FrontEnd.Cancelled>ask(
                        resolve.apply(frontEnds.current()),
                        replyTo -> new FrontEnd.Cancel(held, replyTo),
                        within,
                        system.scheduler())
                .thenApply(answer -> {
                    answer.outcome().failure().ifPresent(failure -> {
                        throw new RequestFailedException(failure);
                    });
                    return answer.outcome().running();
                });
    }

    /** A whole generation, when it has ended. */
    public CompletionStage<Completion> complete(TextRequest request) {
        return generate(request).runWith(Sink.<TextEvent>seq(), system).thenApply(Completion::of);
    }

    /** A text, or token ids, as a vector of length 1. */
    public CompletionStage<Embedding> embed(TextRequest.Prompt prompt, Embedding.Pooling pooling) {
        return generate(TextRequest.embedding(prompt, pooling))
                .runWith(Sink.<TextEvent>seq(), system)
                .thenApply(Embedding::of);
    }

    /** What serves here, and how it is split. Half of the time goes to another front end when the first one does not answer. */
    public CompletionStage<Description> describe(Duration within) {
        String first = frontEnds.current();
        if (frontEnds.count() == 1) {
            return describe(first, within);
        }
        return describe(first, within.dividedBy(2))
                .exceptionallyCompose(failure -> describe(frontEnds.after(first), within.dividedBy(2)));
    }

    /** Asks again within the time: a question to a node that is about to be met again is lost. */
    private CompletionStage<Description> describe(String frontEnd, Duration within) {
        Duration quarter = within.dividedBy(4);
        Duration attempt = quarter.compareTo(LEAST_ATTEMPT) > 0 ? quarter : LEAST_ATTEMPT;
        return describe(frontEnd, within, attempt);
    }

    private CompletionStage<Description> describe(String frontEnd, Duration within, Duration attempt) {
        boolean last = within.compareTo(attempt) <= 0;
        CompletionStage<Description> answer = AskPattern.<FrontEnd.Command, Description>ask(
                        resolve.apply(frontEnd), FrontEnd.Describe::new, last ? within : attempt, system.scheduler())
                .thenApply(description -> {
                    frontEnds.learn(description.frontEnds());
                    return description;
                });
        return last ? answer : answer.exceptionallyCompose(_ -> describe(frontEnd, within.minus(attempt), attempt));
    }

    /** The same, which runs {@code more} after all else when it is closed. */
    public Troupe alsoClosing(Runnable more) {
        return new Troupe(system, frontEnds, resolve, () -> {
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
     * @param frontEnds nodes that clients can talk to, {@code host:port}
     * @param epoch that serves now, or empty
     * @param roles which node (its Artery address) plays which role: {@code stage-S/rank-R}, {@code scheduler},
     *     {@code coordinator}, {@code owner} of the streams that are opened here
     * @param pipeline what the steps of the epoch have cost so far
     */
    public record Description(
            String model,
            boolean ready,
            List<String> nodes,
            List<String> refused,
            List<String> placement,
            String numerics,
            List<String> frontEnds,
            String epoch,
            Map<String, String> roles,
            PipelineStats pipeline) {
        public Description {
            nodes = List.copyOf(nodes);
            refused = List.copyOf(refused);
            placement = List.copyOf(placement);
            frontEnds = List.copyOf(frontEnds);
            roles = Map.copyOf(roles);
        }
    }

    @Override
    public void close() {
        onClose.run();
    }
}
