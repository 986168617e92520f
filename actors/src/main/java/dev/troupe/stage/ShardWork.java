package dev.troupe.stage;

/**
 * The local work that one shard has done since its epoch began, summed over units (one unit is the local work of one
 * segment). Embedding rows and logits are not in it, and waiting for peers is apart, so that ranks can be compared: a rank's
 * {@code nanos} grow with {@code rows} and with its share of a layer, and with nothing else but the speed of its device.
 *
 * @param units done
 * @param rows token rows of all units
 * @param positions context positions of all rows: what attention has to look at
 * @param nanos time that they took, in nanoseconds
 * @param waitNanos time in which steps were open and all of them waited for partials of peers, in nanoseconds
 */
public record ShardWork(long units, long rows, long positions, long nanos, long waitNanos) {
    /** Nothing yet. */
    public static final ShardWork NONE = new ShardWork(0, 0, 0, 0, 0);

    /** Work for which nobody was waited. */
    public ShardWork(long units, long rows, long positions, long nanos) {
        this(units, rows, positions, nanos, 0);
    }

    /** This and one more unit. */
    ShardWork plus(int moreRows, long morePositions, long moreNanos) {
        return new ShardWork(units + 1, rows + moreRows, positions + morePositions, nanos + moreNanos, waitNanos);
    }

    /** This and one more wait. */
    ShardWork plusWait(long moreNanos) {
        return new ShardWork(units, rows, positions, nanos, waitNanos + moreNanos);
    }

    /** What was done since {@code earlier}. */
    public ShardWork since(ShardWork earlier) {
        return new ShardWork(
                units - earlier.units,
                rows - earlier.rows,
                positions - earlier.positions,
                nanos - earlier.nanos,
                waitNanos - earlier.waitNanos);
    }
}
