package dev.troupe.serving;

import java.util.List;
import org.apache.pekko.actor.typed.RecipientRef;

/** Finds the scheduler that serves a model. */
@FunctionalInterface
public interface Router {
    /** The scheduler for a request to {@code model}, as far as it is known now. May be called by any thread. */
    Route scheduler(String model);

    /** Where a request goes. */
    sealed interface Route {}

    /**
     * To one of these schedulers.
     *
     * @param ways at least one, the best first and in the same order everywhere
     */
    record Found(List<Way> ways) implements Route {
        public Found {
            ways = List.copyOf(ways);
        }
    }

    /**
     * The way to a scheduler.
     *
     * @param node where it is, {@code host:port#uid}
     * @param issuer of the epochs that it gets
     */
    record Way(String node, long issuer, RecipientRef<Scheduler.Command> scheduler) {}

    /**
     * Nowhere yet.
     *
     * @param missing what must come first, for people
     */
    record NotYet(String missing) implements Route {}

    /**
     * Nowhere from here, however long one waits.
     *
     * @param reason for people
     */
    record Barred(String reason) implements Route {}

    /** Nowhere, now and later: nobody serves that model. */
    record Nobody() implements Route {}

    /** One replica of one model. */
    static Router single(String model, RecipientRef<Scheduler.Command> scheduler) {
        return asked -> asked.equals(model) ? new Found(List.of(new Way("", 0, scheduler))) : new Nobody();
    }
}
