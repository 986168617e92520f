package dev.troupe.client;

import dev.troupe.generation.Cancellation;
import dev.troupe.generation.Generation;
import dev.troupe.generation.LogHolders;
import dev.troupe.generation.LogKeeper;
import dev.troupe.generation.LogSearch;
import dev.troupe.sampling.guide.CheckedGuides;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/** The actor of a node that clients talk to: text comes in, generations are started, text events go out. */
public final class FrontEnd {
    /** Name of every actor system of Troupe. */
    public static final String SYSTEM = "troupe";

    static final String NAME = "troupe-frontend";

    private FrontEnd() {}

    /** What a front end understands. */
    public sealed interface Command {}

    /**
     * Serve this request.
     *
     * @param client gets the events, or why there are none
     */
    public record Open(TextRequest request, ActorRef<StreamReader.Answer> client) implements Command {}

    /**
     * Go on with a request that another front end may have begun.
     *
     * @param id of its generation, as {@link TextEvent.Started} told it
     * @param seen events of every choice that the client has, beside {@link TextEvent.Started}
     * @param client gets the events that it does not have, or why there are none
     */
    public record Resume(String id, TextRequest request, Ints seen, ActorRef<StreamReader.Answer> client)
            implements Command {}

    /**
     * Is there a generation with this ticket, and of what request? Answered by {@link Found}.
     *
     * @param ticket id of the ticket
     * @param tenant whose it is; the generations of others are not found
     */
    public record Find(String ticket, String tenant, ActorRef<Found> replyTo) implements Command {}

    /** The answer to {@link Find}: nothing if no node that answers knows it. */
    public record Found(Optional<LogKeeper.Held> held) {}

    /** End this generation, if it runs. Answered by {@link Cancelled}, once it is certain to come to its end. */
    public record Cancel(LogKeeper.Held held, ActorRef<Cancelled> replyTo) implements Command {}

    /** The answer to {@link Cancel}. */
    public record Cancelled(Cancellation.Outcome outcome) {}

    /** What serves here? */
    public record Describe(ActorRef<Troupe.Description> replyTo) implements Command {}

    /**
     * The guide of a request has been compiled.
     *
     * @param stream begins the stream, or fails as the compilation did
     */
    private record Checked(ActorRef<StreamReader.Answer> client, Runnable stream) implements Command {
        Checked failed(Throwable failure) {
            Throwable cause = failure.getCause() == null ? failure : failure.getCause();
            return new Checked(client, () -> {
                throw cause instanceof IllegalArgumentException invalid
                        ? invalid
                        : new IllegalArgumentException("the guide cannot be compiled: " + cause, cause);
            });
        }
    }

    /**
     * What a front end needs.
     *
     * @param model registered id of the model that is served
     * @param tokenizer text to tokens and back, or null if the model has none: then prompts must be tokens
     * @param eosTokens tokens that end a text
     * @param generations of this node
     * @param resumeWithin how long a generation lives on without a client
     * @param frontEnds those of the cluster that can be reached, {@code host:port}
     * @param description tells what serves; may take a while
     */
    public record Setup(
            String model,
            @Nullable Tokenizer tokenizer,
            Ints eosTokens,
            Generations generations,
            Duration resumeWithin,
            Supplier<List<String>> frontEnds,
            Describer description) {}

    /** The generations of a front end's node. */
    public interface Generations {
        /** Who holds their logs: nobody, where they are lost with this process. */
        default LogHolders holders() {
            return LogHolders.NONE;
        }

        /** One that has not begun. */
        RecipientRef<Generation.Command> begin();

        /** The one that goes on here with {@code original}, whether or not it does already. */
        RecipientRef<Generation.Command> resume(GenerationId original);
    }

    /** Asks whoever knows for a description. */
    @FunctionalInterface
    public interface Describer {
        /** Tells {@code replyTo}, by any thread, when it is known. */
        void describe(ActorRef<Troupe.Description> replyTo);
    }

    /** Starts the front end of {@code system}'s node, outside of the user's actors. */
    public static ActorRef<Command> start(ActorSystem<?> system, Setup setup) {
        return system.systemActorOf(create(setup), NAME, Props.empty());
    }

    private static Behavior<Command> create(Setup setup) {
        return Behaviors.setup(
                context -> create(setup, context.getSystem().dispatchers().lookup(DispatcherSelector.blocking())));
    }

    /** @param guides compiles guides that nobody here has compiled yet: that may take long */
    static Behavior<Command> create(Setup setup, Executor guides) {
        return Behaviors.setup(context -> receive(context, setup, new GuideChecks(guides)));
    }

    private static Behavior<Command> receive(ActorContext<Command> context, Setup setup, GuideChecks checks) {
        return Behaviors.receiveMessage(command -> {
            switch (command) {
                case Open open ->
                    whenChecked(context, checks, open.request(), new Checked(open.client(), () -> {
                        TextStream.Work work = TextStream.Work.of(open.request(), setup);
                        context.spawnAnonymous(
                                TextStream.create(work, setup.generations().begin(), setup.frontEnds(), open.client()));
                    }));
                case Resume resume ->
                    whenChecked(context, checks, resume.request(), new Checked(resume.client(), () -> {
                        TextStream.Work work = TextStream.Work.of(resume.request(), setup);
                        GenerationId original = GenerationId.parse(resume.id());
                        context.spawnAnonymous(TextStream.resume(
                                work,
                                setup.generations().resume(original),
                                original,
                                resume.seen(),
                                setup.frontEnds(),
                                resume.client()));
                    }));
                case Checked checked -> serve(checked);
                case Find(String ticket, String tenant, ActorRef<Found> replyTo) ->
                    context.spawnAnonymous(
                            LogSearch.create(setup.generations().holders(), ticket, tenant, replyTo, Found::new));
                case Cancel(LogKeeper.Held held, ActorRef<Cancelled> replyTo) ->
                    context.spawnAnonymous(
                            Cancellation.create(setup.generations().resume(held.id()), held, replyTo, Cancelled::new));
                case Describe describe -> setup.description().describe(describe.replyTo());
            }
            return Behaviors.same();
        });
    }

    /** Serves at once where the guide is known to compile, as that of a request by HTTP is, or where there is none. */
    private static void whenChecked(
            ActorContext<Command> context, GuideChecks checks, TextRequest request, Checked checked) {
        GuideSpec guide = request.sampling().guide();
        if (guide == null || CheckedGuides.knows(guide)) {
            serve(checked);
        } else {
            context.pipeToSelf(
                    checks.check(guide), (done, failure) -> failure == null ? checked : checked.failed(failure));
        }
    }

    private static void serve(Checked checked) {
        try {
            checked.stream().run();
        } catch (IllegalArgumentException e) {
            checked.client()
                    .tell(new StreamReader.Failed(
                            new GenerationFailure(GenerationFailure.Kind.INVALID, String.valueOf(e.getMessage()))));
        }
    }
}
