package dev.troupe.client;

import dev.troupe.generation.Generation;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
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
    public record Open(TextRequest request, ActorRef<StreamReader.Message> client) implements Command {}

    /** What serves here? */
    public record Describe(ActorRef<Troupe.Description> replyTo) implements Command {}

    /**
     * What a front end needs.
     *
     * @param model registered id of the model that is served
     * @param tokenizer text to tokens and back, or null if the model has none: then prompts must be tokens
     * @param eosTokens tokens that end a text
     * @param generations makes a generation that has not begun
     * @param description tells what serves; may take a while
     */
    public record Setup(
            String model,
            @Nullable Tokenizer tokenizer,
            Ints eosTokens,
            Supplier<RecipientRef<Generation.Command>> generations,
            Describer description) {}

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
        return Behaviors.setup(context -> Behaviors.receiveMessage(command -> {
            switch (command) {
                case Open open -> open(context, setup, open);
                case Describe describe -> setup.description().describe(describe.replyTo());
            }
            return Behaviors.same();
        }));
    }

    private static void open(ActorContext<Command> context, Setup setup, Open open) {
        try {
            TextStream.Work work = TextStream.Work.of(open.request(), setup);
            context.spawnAnonymous(TextStream.create(work, setup.generations().get(), open.client()));
        } catch (IllegalArgumentException e) {
            open.client()
                    .tell(new StreamReader.Failed(
                            new GenerationFailure(GenerationFailure.Kind.INVALID, String.valueOf(e.getMessage()))));
        }
    }
}
