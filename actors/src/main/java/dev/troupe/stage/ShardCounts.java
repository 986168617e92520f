package dev.troupe.stage;

/**
 * What one shard has done and seen since its epoch began.
 *
 * @param stepsEnded steps that have left this rank
 * @param partialsSent messages to peers with own sums
 * @param handOffsSent messages to the next stage
 * @param candidatesSent messages to rank 0 with candidates
 * @param resultsSent messages to the scheduler
 * @param stale messages of other epochs, dropped
 * @param repeated messages whose content was there already or no longer needed, dropped
 * @param refused messages that contradict the plan or others, dropped
 * @param noRoom early messages beyond the bound, dropped
 */
public record ShardCounts(
        long stepsEnded,
        long partialsSent,
        long handOffsSent,
        long candidatesSent,
        long resultsSent,
        long stale,
        long repeated,
        long refused,
        long noRoom) {
    /** Nothing yet. */
    public static final ShardCounts ZERO = new ShardCounts(0, 0, 0, 0, 0, 0, 0, 0, 0);

    /** Messages sent in all. */
    public long sent() {
        return partialsSent + handOffsSent + candidatesSent + resultsSent;
    }
}
