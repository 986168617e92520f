package dev.troupe.stage;

/** What became of a message that was not refused. */
enum Noted {
    /** It is used, now or later. */
    KEPT,
    /** Everything in it was there already, or its step has ended. */
    REPEATED,
    /** It is too early for the room there is. */
    NO_ROOM
}
