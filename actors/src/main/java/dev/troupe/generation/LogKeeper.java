package dev.troupe.generation;

import dev.troupe.serving.GenerationId;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * The actor that holds, on one node, copies of the logs of generations that other nodes own, so that one of these can be
 * continued when its owner is lost. It lives under a name that is the same everywhere, so any node reaches it from the
 * member's address alone.
 */
public final class LogKeeper {
    private static final String NAME = "troupe-log-keeper";
    private static final Duration SWEEP_EVERY = Duration.ofSeconds(1);

    private LogKeeper() {}

    /** What a keeper understands. */
    public sealed interface Command {}

    /**
     * Hold a log from now on. A copy of a lower term gives way; one of the same term stays as it is. Answered by
     * {@link Holds} or {@link Refused}.
     *
     * @param stint chosen by the owner, to tell the answers of one follower from another's
     * @param age since the generation began
     */
    public record Open(
            GenerationId id,
            OwnerTerm term,
            long stint,
            GenerationRequest request,
            Duration age,
            ActorRef<Answer> replyTo)
            implements Command {}

    /**
     * Hold these entries too; none is a sign of life. Answered by {@link Holds}, {@link Missing} or {@link Refused}.
     *
     * @param first place of the first of them in the log
     */
    public record Append(
            GenerationId id, OwnerTerm term, long stint, long first, List<LogEntry> entries, ActorRef<Answer> replyTo)
            implements Command {
        public Append {
            entries = List.copyOf(entries);
        }
    }

    /** Nobody needs the copy any more; owners of terms up to this one remain refused for a while. */
    public record Forget(GenerationId id, OwnerTerm term) implements Command {}

    /**
     * Do you hold this log? Answered by {@link Found} or {@link NotHere}.
     *
     * @param number by which the asker knows the keeper
     */
    public record Seek(GenerationId id, int number, ActorRef<Answer> replyTo) implements Command {}

    /** From now on the log belongs to the owner of that term. Answered by {@link Claimed}, {@link Refused} or {@link NotHere}. */
    public record Claim(GenerationId id, OwnerTerm term, int number, ActorRef<Answer> replyTo) implements Command {}

    /**
     * From now on refuse owners of lower terms; a copy of a lower term is dropped, because another one has been claimed. Answered by
     * {@link Fenced} or {@link Refused}.
     */
    public record Fence(GenerationId id, OwnerTerm term, int number, ActorRef<Answer> replyTo) implements Command {}

    /** Some of the log from {@code from} on, for its owner. Answered by {@link Page}, {@link Refused} or {@link NotHere}. */
    public record Read(GenerationId id, OwnerTerm term, int number, long from, ActorRef<Answer> replyTo)
            implements Command {}

    /** Do you hold the log of this ticket? Whose it is not, hears no. Answered by {@link Shown}. */
    public record Show(String ticket, String tenant, ActorRef<Shown> replyTo) implements Command {}

    /**
     * A log that is held: which, and of what request.
     *
     * @param finished whether all choices have ended in it; those of a copy that is behind may have ended elsewhere
     */
    public record Held(GenerationId id, GenerationRequest request, boolean finished) {}

    /** The answer to {@link Show}. */
    public record Shown(Optional<Held> held) {}

    private enum Sweep implements Command {
        INSTANCE
    }

    /** What a keeper answers. */
    public sealed interface Answer {
        /** About which log. */
        GenerationId id();
    }

    /** So many entries are held, counted from the first. */
    public record Holds(GenerationId id, OwnerTerm term, long stint, long entries) implements Answer {}

    /** That log is not held in this term: open it. */
    public record Missing(GenerationId id, OwnerTerm term, long stint) implements Answer {}

    /** The log belongs to the owner of another term, which is not lower. */
    public record Refused(GenerationId id, OwnerTerm by) implements Answer {}

    /** The log is here. */
    public record Found(GenerationId id, int number, OwnerTerm term, long entries) implements Answer {}

    /**
     * The log is not here.
     *
     * @param term the highest whose owner was heard of here; owners of lower ones are refused
     */
    public record NotHere(GenerationId id, int number, OwnerTerm term) implements Answer {}

    /** Owners of lower terms are refused from now on. */
    public record Fenced(GenerationId id, OwnerTerm term, int number) implements Answer {}

    /**
     * The log has a new owner.
     *
     * @param age since the generation began
     */
    public record Claimed(GenerationId id, OwnerTerm term, GenerationRequest request, long entries, Duration age)
            implements Answer {}

    /** Some of the log, from {@code first} on. */
    public record Page(GenerationId id, OwnerTerm term, long first, List<LogEntry> entries) implements Answer {
        public Page {
            entries = List.copyOf(entries);
        }
    }

    /**
     * Starts the keeper of {@code system}'s node, outside of the user's actors.
     *
     * @param abandonedAfter how long a log is held whose owner gives no sign of life
     */
    public static ActorRef<Command> start(ActorSystem<?> system, Duration abandonedAfter) {
        return system.systemActorOf(create(abandonedAfter, System::nanoTime), NAME, Props.empty());
    }

    /** The keeper of the node at {@code address}, whether or not it is there. */
    public static ActorRef<Command> at(ActorSystem<?> system, Address address) {
        return ActorRefResolver.get(system).resolveActorRef("%s/system/%s".formatted(address, NAME));
    }

    static Behavior<Command> create(Duration abandonedAfter, LongSupplier nanoTime) {
        return Behaviors.withTimers(timers -> Behaviors.setup(context -> {
            HeldLogs logs = new HeldLogs(abandonedAfter, nanoTime);
            timers.startTimerWithFixedDelay(Sweep.INSTANCE, SWEEP_EVERY);
            return Behaviors.receiveMessage(command -> {
                switch (command) {
                    case Open open -> open.replyTo().tell(logs.open(open));
                    case Append append -> append.replyTo().tell(logs.append(append));
                    case Forget forget -> logs.forget(forget);
                    case Seek seek -> seek.replyTo().tell(logs.seek(seek));
                    case Fence fence -> fence.replyTo().tell(logs.fence(fence));
                    case Claim claim -> claim.replyTo().tell(logs.claim(claim));
                    case Show show -> show.replyTo().tell(new Shown(logs.show(show)));
                    case Read read -> read.replyTo().tell(logs.read(read));
                    case Sweep.INSTANCE ->
                        logs.sweep()
                                .forEach(id -> context.getLog()
                                        .warn(
                                                "generation {} is dropped: its owner is lost and nobody has resumed it within {} s",
                                                id,
                                                abandonedAfter.toSeconds()));
                }
                return Behaviors.same();
            });
        }));
    }
}
