package dev.troupe.serving;

/** What is known of a loss when it happens. */
enum Loss {
    /** Which rank or node is lost. */
    NAMED,
    /** That a connection is lost; the node behind it may be well. */
    LINK,
    /** Nothing: a step gave no result in time. */
    STALL
}
