package dev.troupe.generation;

import dev.troupe.serving.GenerationId;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * What a generation's one subscriber has seen of its log and how many events it will take. An event carries as many
 * entries as are there, so a slow subscriber gets fewer and larger ones. Owned by one thread.
 */
final class Delivery {
    private final GenerationId id;
    private final TokenLog log;
    private final int entriesPerEvent;

    private @Nullable ActorRef<GenerationEvent> subscriber;
    private long subscription;
    private long next;
    private long demand;

    Delivery(GenerationId id, TokenLog log, int entriesPerEvent) {
        this.id = id;
        this.log = log;
        this.entriesPerEvent = entriesPerEvent;
    }

    @Nullable
    ActorRef<GenerationEvent> subscriber() {
        return subscriber;
    }

    /** From now on {@code to} gets the log, from entry {@code from} on. */
    void begin(ActorRef<GenerationEvent> to, long newSubscription, long from, int events) {
        subscriber = to;
        subscription = newSubscription;
        next = from;
        demand = events;
    }

    /** Whether this is the subscription that counts. */
    boolean isCurrent(long asked) {
        return subscriber != null && subscription == asked;
    }

    /** Nobody gets the log now. */
    void end() {
        subscriber = null;
        demand = 0;
    }

    /** The subscriber takes more events. */
    void demand(int events) {
        demand += events;
    }

    /**
     * Tells the subscriber as much of the durable log as it takes.
     *
     * @return whether it has all of the log and takes one more event
     */
    boolean deliver() {
        ActorRef<GenerationEvent> to = subscriber;
        if (to == null) {
            return false;
        }
        while (demand > 0 && next < log.durable()) {
            long durable = log.durable() - next;
            List<LogEntry> entries = log.read(next, (int) Math.min(durable, entriesPerEvent));
            to.tell(new GenerationEvent.Entries(id, next, entries));
            next += entries.size();
            demand--;
        }
        return demand > 0 && next == log.size();
    }
}
