package dev.troupe.serving;

import java.util.Optional;
import org.apache.pekko.actor.typed.RecipientRef;

/** Finds the scheduler that serves a model. */
@FunctionalInterface
public interface Router {
    /** The scheduler for a request to {@code model}; empty if nobody serves that model. */
    Optional<RecipientRef<Scheduler.Command>> scheduler(String model);

    /** One replica of one model. */
    static Router single(String model, RecipientRef<Scheduler.Command> scheduler) {
        return asked -> asked.equals(model) ? Optional.of(scheduler) : Optional.empty();
    }
}
