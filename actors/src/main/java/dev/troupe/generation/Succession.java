package dev.troupe.generation;

import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * A {@link Generation} that takes over the log of one whose owner does not answer: it asks every node for a copy, claims the
 * newest with a higher term, reads it, and goes on as its owner. Nobody else can write to that log from the claim on.
 */
final class Succession {
    private static final String TIMER = "succession";
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(1);

    /** Others that may claim the same log in between. */
    private static final int CLAIMS = 4;

    private final ActorContext<Generation.Command> context;
    private final TimerScheduler<Generation.Command> timers;
    private final Generation.Setup setup;
    private final GenerationId id;
    private final GenerationId original;
    private final ActorRef<LogKeeper.Answer> answers;
    private final List<ActorRef<Generation.Resumption>> waiting = new ArrayList<>();
    private final List<LogEntry> entries = new ArrayList<>();

    private int unanswered;
    private LogKeeper.@Nullable Found best;
    private LogKeeper.@Nullable Claimed claimed;
    private OwnerTerm term = OwnerTerm.first(0);
    private int claims;

    /**
     * @param id of this generation, on this node
     * @param original of the generation when it began
     */
    Succession(
            ActorContext<Generation.Command> context,
            TimerScheduler<Generation.Command> timers,
            Generation.Setup setup,
            GenerationId id,
            GenerationId original) {
        this.context = context;
        this.timers = timers;
        this.setup = setup;
        this.id = id;
        this.original = original;
        this.answers = context.messageAdapter(LogKeeper.Answer.class, Generation.FromKeeper::new);
    }

    Behavior<Generation.Command> begin(ActorRef<Generation.Resumption> replyTo) {
        waiting.add(replyTo);
        List<LogHolders.Holder> holders = setup.holders().all();
        if (holders.isEmpty()) {
            return gone("there is no other node that could hold it");
        }
        unanswered = holders.size();
        holders.forEach(holder -> holder.keeper().tell(new LogKeeper.Seek(original, answers)));
        await();
        return Behaviors.receiveMessage(this::on);
    }

    private Behavior<Generation.Command> on(Generation.Command command) {
        return switch (command) {
            case Generation.FromKeeper(LogKeeper.Answer answer) -> on(answer);
            case Generation.Resume(GenerationId _, ActorRef<Generation.Resumption> replyTo) -> {
                waiting.add(replyTo);
                yield Behaviors.same();
            }
            case Generation.SuccessionOverdue _ ->
                best != null && claimed == null && claims == 0
                        ? claim(best.term())
                        : gone(
                                best == null
                                        ? "no node that answers holds it"
                                        : "the node that holds it does not answer any more");
            case Generation.Cancel _, Generation.Stop _ -> Behaviors.stopped();
            case Generation.Reading _, Generation.Computing _ -> Behaviors.same();
        };
    }

    private Behavior<Generation.Command> on(LogKeeper.Answer answer) {
        return switch (answer) {
            case LogKeeper.Found found when claims == 0 -> {
                if (best == null || newer(found, best)) {
                    best = found;
                }
                yield answered();
            }
            case LogKeeper.NotHere _ when claims == 0 -> answered();
            case LogKeeper.NotHere _ -> gone("the node that held it has dropped it");
            case LogKeeper.Refused(GenerationId _, OwnerTerm by) when by.compareTo(term) > 0 ->
                claims < CLAIMS ? claim(by) : gone("other front ends take it over again and again");
            case LogKeeper.Claimed got when got.term().equals(term) && claimed == null -> {
                claimed = got;
                yield read();
            }
            case LogKeeper.Page page when page.term().equals(term) && page.first() == entries.size() -> {
                entries.addAll(page.entries());
                yield read();
            }
            case LogKeeper.Found _,
                    LogKeeper.Refused _,
                    LogKeeper.Claimed _,
                    LogKeeper.Page _,
                    LogKeeper.Holds _,
                    LogKeeper.Missing _ ->
                Behaviors.same();
        };
    }

    private static boolean newer(LogKeeper.Found found, LogKeeper.Found than) {
        int order = found.term().compareTo(than.term());
        return order > 0 || order == 0 && found.entries() > than.entries();
    }

    private Behavior<Generation.Command> answered() {
        unanswered--;
        if (unanswered > 0) {
            return Behaviors.same();
        }
        return best == null ? gone("none of the nodes holds it") : claim(best.term());
    }

    private Behavior<Generation.Command> claim(OwnerTerm above) {
        claims++;
        claimed = null;
        entries.clear();
        term = above.next(setup.holders().self());
        holder().tell(new LogKeeper.Claim(original, term, answers));
        await();
        return Behaviors.same();
    }

    private ActorRef<LogKeeper.Command> holder() {
        LogKeeper.Found found = best;
        if (found == null) {
            throw new IllegalStateException("no holder of " + original + " has been found yet");
        }
        return found.keeper();
    }

    private Behavior<Generation.Command> read() {
        LogKeeper.Claimed got = claimed;
        if (got == null) {
            return Behaviors.same();
        }
        if (entries.size() < got.entries()) {
            holder().tell(new LogKeeper.Read(original, term, entries.size(), answers));
            await();
            return Behaviors.same();
        }
        timers.cancel(TIMER);
        context.getLog().info("generation {} goes on here as {} with {} entries of its log", original, id, entries.size());
        TokenLog.Opening opening = new TokenLog.Opening(
                original,
                term,
                got.request(),
                got.age(),
                entries,
                List.of(new LogHolders.Holder(holder().path().toString(), holder())),
                answers);
        return new Ownership(context, timers, setup, id, opening).resume(waiting);
    }

    private void await() {
        timers.startSingleTimer(TIMER, new Generation.SuccessionOverdue(), ANSWER_WITHIN);
    }

    private Behavior<Generation.Command> gone(String why) {
        GenerationFailure failure = new GenerationFailure(
                GenerationFailure.Kind.GONE,
                "generation %s cannot be resumed: %s. It has ended some time ago, or all nodes that held it are lost: send the request again"
                        .formatted(original, why));
        waiting.forEach(client -> client.tell(new Generation.NotResumed(id, failure)));
        return Behaviors.stopped();
    }
}
