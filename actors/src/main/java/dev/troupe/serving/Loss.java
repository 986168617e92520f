package dev.troupe.serving;

import dev.troupe.stage.StageEvent;

/** What is known of a loss when it happens. */
enum Loss {
    /** Which rank or node is lost. */
    NAMED,
    /** That a connection is lost; the node behind it may be well. */
    LINK,
    /** That its nodes work for the epoch of another scheduler: nothing is wrong with them. */
    SUPERSEDED,
    /** Nothing: a step gave no result in time. */
    STALL;

    static Loss of(StageEvent.Lost lost) {
        return switch (lost.cause()) {
            case RANK -> NAMED;
            case CONNECTION -> lost.rank() < 0 ? NAMED : LINK;
            case SUPERSEDED -> SUPERSEDED;
        };
    }
}
