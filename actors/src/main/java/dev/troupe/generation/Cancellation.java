package dev.troupe.generation;

import dev.troupe.serving.GenerationFailure;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * The actor that ends a generation, whoever owns it: takes it over, so that its owner does not go on, and cancels it if it still runs.
 * One that has ended stays as it is, for whoever comes back to it. Says what it did, and ends.
 */
public final class Cancellation {
    private static final Duration WITHIN = Duration.ofSeconds(15);

    private Cancellation() {}

    /**
     * What came of it.
     *
     * @param running whether it ran, and does so no more
     * @param failure why it could not be taken over, if it could not
     */
    public record Outcome(boolean running, Optional<GenerationFailure> failure) {}

    /** What a cancellation hears. */
    private sealed interface Heard {}

    private record TakenOver(Generation.Resumption resumption) implements Heard {}

    private record Told(ActorRef<Generation.Command> generation, Generation.Status status) implements Heard {}

    private record Overdue() implements Heard {}

    /**
     * The behaviour of a cancellation.
     *
     * @param generation what goes on here with the generation
     * @param held which generation, and its request
     * @param replyTo is told the outcome; hears nothing where nothing is heard of the generation
     * @param answer of the outcome
     */
    public static <A> Behavior<?> create(
            RecipientRef<Generation.Command> generation,
            LogKeeper.Held held,
            ActorRef<A> replyTo,
            Function<Outcome, A> answer) {
        return Behaviors.<Heard>setup(context -> Behaviors.withTimers(timers -> {
            timers.startSingleTimer(new Overdue(), WITHIN);
            generation.tell(new Generation.Resume(
                    held.id(), held.request(), context.messageAdapter(Generation.Resumption.class, TakenOver::new)));
            return Behaviors.receiveMessage(heard -> switch (heard) {
                case TakenOver(Generation.Resumed(var _, long _, ActorRef<Generation.Command> owner)) -> {
                    owner.tell(new Generation.GetStatus(
                            context.messageAdapter(Generation.Status.class, status -> new Told(owner, status))));
                    yield Behaviors.same();
                }
                case TakenOver(Generation.NotResumed(var _, GenerationFailure failure)) -> {
                    replyTo.tell(answer.apply(new Outcome(false, Optional.of(failure))));
                    yield Behaviors.stopped();
                }
                case Told(ActorRef<Generation.Command> owner, Generation.Status status) -> {
                    if (!status.finished()) {
                        owner.tell(Generation.Cancel.INSTANCE);
                    }
                    replyTo.tell(answer.apply(new Outcome(!status.finished(), Optional.empty())));
                    yield Behaviors.stopped();
                }
                case Overdue _ -> Behaviors.stopped();
            });
        }));
    }
}
