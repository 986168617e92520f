package dev.troupe.serving;

import org.apache.pekko.actor.typed.RecipientRef;

/** Finds the scheduler that serves a model. */
@FunctionalInterface
public interface Router {
    /** The scheduler for a request to {@code model}, as far as it is known now. May be called by any thread. */
    Route scheduler(String model);

    /** Where a request goes. */
    sealed interface Route {}

    /** To this scheduler. */
    record Found(RecipientRef<Scheduler.Command> scheduler) implements Route {}

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
        return asked -> asked.equals(model) ? new Found(scheduler) : new Nobody();
    }
}
