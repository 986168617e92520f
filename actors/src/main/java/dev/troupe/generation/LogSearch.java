package dev.troupe.generation;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * The actor that looks for the log of one ticket: asks all who may hold it, tells of the first that does, and ends. Copies may differ
 * in length and in their owner, but not in their request, so any will do; whoever resumes the generation finds the newest.
 */
public final class LogSearch {
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(1);

    private LogSearch() {}

    /** What a search hears. */
    private sealed interface Heard {}

    private record Answered(LogKeeper.Shown shown) implements Heard {}

    private record Overdue() implements Heard {}

    /**
     * The behaviour of a search.
     *
     * @param ticket id of the ticket
     * @param tenant who asks; the logs of others are not found
     * @param replyTo is told what was found, or that nobody who answers holds it
     * @param answer of what was found
     */
    public static <A> Behavior<?> create(
            LogHolders holders,
            String ticket,
            String tenant,
            ActorRef<A> replyTo,
            Function<Optional<LogKeeper.Held>, A> answer) {
        return Behaviors.<Heard>setup(context -> Behaviors.withTimers(timers -> {
            List<LogHolders.Holder> asked = holders.all();
            if (asked.isEmpty()) {
                replyTo.tell(answer.apply(Optional.empty()));
                return Behaviors.stopped();
            }
            ActorRef<LogKeeper.Shown> ear = context.messageAdapter(LogKeeper.Shown.class, Answered::new);
            asked.forEach(holder -> holder.keeper().tell(new LogKeeper.Show(ticket, tenant, ear)));
            timers.startSingleTimer(new Overdue(), ANSWER_WITHIN);
            return searching(asked.size(), found -> replyTo.tell(answer.apply(found)));
        }));
    }

    private static Behavior<Heard> searching(int awaited, Consumer<Optional<LogKeeper.Held>> end) {
        return Behaviors.receiveMessage(heard -> {
            Optional<LogKeeper.Held> found =
                    heard instanceof Answered(LogKeeper.Shown(Optional<LogKeeper.Held> held)) ? held : Optional.empty();
            if (found.isEmpty() && heard instanceof Answered && awaited > 1) {
                return searching(awaited - 1, end);
            }
            end.accept(found);
            return Behaviors.stopped();
        });
    }
}
