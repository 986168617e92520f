package dev.troupe.generation;

import dev.troupe.serving.GenerationId;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * The request of one generation and its entries in the order in which they happened. Nobody sees an entry before it is
 * durable; what that takes is the log's business: a list in memory, or a second holder that has to answer first. Owned by one
 * thread.
 */
public interface TokenLog {
    /** Appends; {@link #flush} follows when all that belongs together has been appended. */
    void append(LogEntry entry);

    /** Entries appended. */
    long size();

    /** Entries that may be shown, counted from the first. */
    long durable();

    /** Whether the request is as safe as an entry that is durable. */
    boolean isHeld();

    /**
     * Entries from {@code from} on.
     *
     * @param most how many at most
     * @throws IndexOutOfBoundsException if {@code from} is beyond the end
     */
    List<LogEntry> read(long from, int most);

    /** Makes durable what was appended, now or when somebody has answered. */
    void flush();

    /** Somebody has answered. */
    void on(LogKeeper.Answer answer);

    /** Some time has passed: what has got no answer is sent again. To be called a few times a second. */
    void check();

    /** Makes sure that nobody has taken the log over: it is not held until somebody has answered. */
    void confirm();

    /** The owner that has taken the log over, if there is one: this one must say and do nothing more. */
    Optional<OwnerTerm> takenBy();

    /** Nobody will ever read it again. */
    void close();

    /** Makes logs. */
    @FunctionalInterface
    interface Factory {
        /** A log that begins, or goes on. */
        TokenLog open(Opening opening);
    }

    /**
     * How a log begins.
     *
     * @param id of the generation, as it was named at first; it keeps the name when it has another owner
     * @param term of the owner
     * @param age since the generation began
     * @param entries that are there already
     * @param previous who has answered lately, whoever holds the entries first; empty for a generation that begins
     * @param answers where holders answer; to be given to {@link #on}
     */
    record Opening(
            GenerationId id,
            OwnerTerm term,
            GenerationRequest request,
            Duration age,
            List<LogEntry> entries,
            List<LogHolders.Holder> previous,
            ActorRef<LogKeeper.Answer> answers) {
        public Opening {
            entries = List.copyOf(entries);
            previous = List.copyOf(previous);
        }
    }
}
