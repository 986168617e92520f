package dev.troupe.generation;

import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * A {@link Generation} that takes over the log of one whose owner does not answer: it asks every node for a copy, claims the
 * newest with a higher term, reads it, and goes on as its owner. All other nodes that answer refuse lower terms from then on, so
 * that an owner that was only slow finds nobody who would hold its log. Where nobody has a copy any more, the log begins anew: the
 * same request gives the same tokens.
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
    private final GenerationRequest request;
    private final ActorRef<LogKeeper.Answer> answers;
    private final List<ActorRef<Generation.Resumption>> waiting = new ArrayList<>();
    private final List<LogEntry> entries = new ArrayList<>();

    private List<LogHolders.Holder> holders = List.of();

    /** Numbers of the holders that have answered, and of those whose answer is waited for. */
    private final Set<Integer> answered = new TreeSet<>();

    private final Set<Integer> awaited = new TreeSet<>();
    private LogKeeper.@Nullable Found best;
    private LogKeeper.@Nullable Claimed claimed;
    private OwnerTerm term = OwnerTerm.NONE;

    /** Of all owners that any holder has heard of. */
    private OwnerTerm highest = OwnerTerm.first(0);

    private int claims;
    private boolean cancelled;

    /**
     * @param id of this generation, on this node
     * @param original of the generation when it began
     * @param request what it was to compute
     */
    Succession(
            ActorContext<Generation.Command> context,
            TimerScheduler<Generation.Command> timers,
            Generation.Setup setup,
            GenerationId id,
            GenerationId original,
            GenerationRequest request) {
        this.context = context;
        this.timers = timers;
        this.setup = setup;
        this.id = id;
        this.original = original;
        this.request = request;
        this.answers = context.messageAdapter(LogKeeper.Answer.class, Generation.FromKeeper::new);
    }

    Behavior<Generation.Command> begin(ActorRef<Generation.Resumption> replyTo) {
        waiting.add(replyTo);
        holders = setup.holders().all();
        if (holders.isEmpty()) {
            return anew("there is no other node that could hold it");
        }
        for (int number = 0; number < holders.size(); number++) {
            awaited.add(number);
            tell(number, new LogKeeper.Seek(original, number, answers));
        }
        await();
        return Behaviors.receiveMessage(this::on);
    }

    private void tell(int number, LogKeeper.Command command) {
        holders.get(number).keeper().tell(command);
    }

    private Behavior<Generation.Command> on(Generation.Command command) {
        return switch (command) {
            case Generation.FromKeeper(LogKeeper.Answer answer) -> on(answer);
            case Generation.Resume(GenerationId _, GenerationRequest _, ActorRef<Generation.Resumption> replyTo) -> {
                waiting.add(replyTo);
                yield Behaviors.same();
            }
            case Generation.SuccessionOverdue _ -> overdue();
            // Whoever computes it now must hear of it, so it is taken over first.
            case Generation.Cancel _ -> {
                cancelled = true;
                yield Behaviors.same();
            }
            case Generation.Stop _ -> Behaviors.stopped();
            case Generation.Reading _, Generation.Computing _ -> Behaviors.same();
        };
    }

    /** What does not answer is believed to be lost. */
    private Behavior<Generation.Command> overdue() {
        LogKeeper.Found found = best;
        if (found == null) {
            return anew("no node that answers holds it");
        }
        awaited.clear();
        if (claims == 0) {
            return claim(found.term());
        }
        return claimed == null || entries.size() < claimed.entries()
                ? anew("the node that holds it does not answer any more")
                : read();
    }

    private Behavior<Generation.Command> on(LogKeeper.Answer answer) {
        return switch (answer) {
            case LogKeeper.Found found
            when claims == 0 -> {
                if (best == null || newer(found, best)) {
                    best = found;
                }
                yield sought(found.number());
            }
            case LogKeeper.NotHere(GenerationId _, int number, OwnerTerm heard)
            when claims == 0 -> {
                highest = highest.compareTo(heard) < 0 ? heard : highest;
                yield sought(number);
            }
            case LogKeeper.NotHere(GenerationId _, int number, OwnerTerm _)
            when best != null && number == best.number() -> anew("the node that held it has dropped it");
            case LogKeeper.Refused(GenerationId _, OwnerTerm by)
            when by.compareTo(term) > 0 ->
                claims < CLAIMS ? claim(by) : gone("other front ends take it over again and again");
            case LogKeeper.Claimed got
            when got.term().equals(term) && claimed == null -> {
                claimed = got;
                yield read();
            }
            case LogKeeper.Fenced(GenerationId _, OwnerTerm of, int number)
            when of.equals(term) -> {
                awaited.remove(number);
                yield entries.size() == entriesWanted() ? read() : Behaviors.same();
            }
            case LogKeeper.Page page
            when page.term().equals(term) && page.first() == entries.size() -> {
                entries.addAll(page.entries());
                yield read();
            }
            case LogKeeper.Found _,
                    LogKeeper.NotHere _,
                    LogKeeper.Refused _,
                    LogKeeper.Fenced _,
                    LogKeeper.Claimed _,
                    LogKeeper.Page _,
                    LogKeeper.Holds _,
                    LogKeeper.Missing _ -> Behaviors.same();
        };
    }

    private long entriesWanted() {
        return claimed == null ? -1 : claimed.entries();
    }

    private static boolean newer(LogKeeper.Found found, LogKeeper.Found than) {
        int order = found.term().compareTo(than.term());
        return order > 0 || (order == 0 && found.entries() > than.entries());
    }

    private Behavior<Generation.Command> sought(int number) {
        answered.add(number);
        awaited.remove(number);
        LogKeeper.Found found = best;
        if (!awaited.isEmpty()) {
            return Behaviors.same();
        }
        return found == null ? anew("none of the nodes holds it") : claim(found.term());
    }

    /** Claims the copy, and has all others refuse its owner; only those that have answered are waited for. */
    private Behavior<Generation.Command> claim(OwnerTerm above) {
        claims++;
        claimed = null;
        entries.clear();
        term = (above.compareTo(highest) < 0 ? highest : above)
                .next(setup.holders().self());
        awaited.clear();
        for (int number = 0; number < holders.size(); number++) {
            if (number == holder()) {
                tell(number, new LogKeeper.Claim(original, term, number, answers));
            } else {
                tell(number, new LogKeeper.Fence(original, term, number, answers));
                if (answered.contains(number)) {
                    awaited.add(number);
                }
            }
        }
        await();
        return Behaviors.same();
    }

    /** Number of the one that has the copy. */
    private int holder() {
        LogKeeper.Found found = best;
        if (found == null) {
            throw new IllegalStateException("no holder of " + original + " has been found yet");
        }
        return found.number();
    }

    private Behavior<Generation.Command> read() {
        LogKeeper.Claimed got = claimed;
        if (got == null) {
            return Behaviors.same();
        }
        if (entries.size() < got.entries()) {
            tell(holder(), new LogKeeper.Read(original, term, holder(), entries.size(), answers));
            await();
            return Behaviors.same();
        }
        if (!awaited.isEmpty()) {
            return Behaviors.same();
        }
        timers.cancel(TIMER);
        context.getLog()
                .info("generation {} goes on here as {} with {} entries of its log", original, id, entries.size());
        return own(got.request(), got.age());
    }

    private Behavior<Generation.Command> own(GenerationRequest whole, Duration age) {
        TokenLog.Opening opening = new TokenLog.Opening(original, term, whole, age, entries, awake(), answers);
        if (cancelled) {
            context.getSelf().tell(Generation.Cancel.INSTANCE);
        }
        return new Ownership(context, timers, setup, id, opening).resume(waiting);
    }

    /** Those that have answered, the one with the copy first. */
    private List<LogHolders.Holder> awake() {
        List<LogHolders.Holder> awake = new ArrayList<>();
        LogKeeper.Found found = best;
        if (found != null) {
            awake.add(holders.get(found.number()));
        }
        answered.stream()
                .filter(number -> found == null || number != found.number())
                .forEach(number -> awake.add(holders.get(number)));
        return awake;
    }

    /** Nobody has the log: the request is computed from its beginning, and gives the same again. */
    private Behavior<Generation.Command> anew(String why) {
        timers.cancel(TIMER);
        context.getLog().info("generation {} begins anew here as {}: {}", original, id, why);
        term = (term.compareTo(highest) < 0 ? highest : term)
                .next(setup.holders().self());
        entries.clear();
        return own(request, Duration.ZERO);
    }

    private void await() {
        timers.startSingleTimer(TIMER, new Generation.SuccessionOverdue(), ANSWER_WITHIN);
    }

    private Behavior<Generation.Command> gone(String why) {
        GenerationFailure failure = new GenerationFailure(
                GenerationFailure.Kind.GONE,
                "generation %s cannot be resumed here: %s; try again".formatted(original, why));
        waiting.forEach(client -> client.tell(new Generation.NotResumed(id, failure)));
        return Behaviors.stopped();
    }
}
