package dev.troupe.stage;

/** The running counts of one shard. Owned by its thread. */
final class ShardTally {
    long stepsEnded;
    long partialsSent;
    long handOffsSent;
    long candidatesSent;
    long resultsSent;
    long stale;
    long repeated;
    long refused;
    long noRoom;

    void note(Noted noted) {
        switch (noted) {
            case KEPT -> {}
            case REPEATED -> repeated++;
            case NO_ROOM -> noRoom++;
        }
    }

    ShardCounts now() {
        return new ShardCounts(
                stepsEnded, partialsSent, handOffsSent, candidatesSent, resultsSent, stale, repeated, refused, noRoom);
    }
}
