package dev.troupe.stage;

import java.util.function.LongSupplier;

/**
 * How far one shard is, written by the shard's thread and read by anybody: a busy shard cannot answer messages, so this
 * is how its node tells <em>busy and advancing</em> from <em>stuck</em>.
 */
public final class ShardProgress {
    private final ShardId id;
    private final LongSupplier nanoTime;
    private volatile Moment last;
    private volatile ShardCounts counts = ShardCounts.ZERO;
    private volatile ShardWork work = ShardWork.NONE;

    /** Progress of a shard that begins to load. */
    ShardProgress(ShardId id, LongSupplier nanoTime) {
        this.id = id;
        this.nanoTime = nanoTime;
        this.last = new Moment(Activity.LOADING, 0, 0, nanoTime.getAsLong());
    }

    /** What a shard is doing. */
    public enum Activity {
        /** Reading weights. */
        LOADING,
        /** No step is open. */
        IDLE,
        /** In the local work of a segment. */
        COMPUTING,
        /** Steps are open and all of them wait for peers. */
        WAITING,
        /** Gone; nothing will follow. */
        ENDED
    }

    /**
     * The last thing that was published.
     *
     * @param step the step it is about, 0 before the first
     * @param segment 0-based segment of the stage; the number of segments for what follows the last
     * @param nanos when, by {@link #nanoTime()}, in nanoseconds
     */
    public record Moment(Activity activity, long step, int segment, long nanos) {}

    /** Whose progress. */
    public ShardId id() {
        return id;
    }

    /** The newest moment. */
    public Moment last() {
        return last;
    }

    /** What the shard has done, as of the end of its newest step. */
    public ShardCounts counts() {
        return counts;
    }

    /** The local work that the shard has done, as of the end of its newest unit. */
    public ShardWork work() {
        return work;
    }

    /** The clock that {@link Moment#nanos()} is read from, in nanoseconds. */
    public long nanoTime() {
        return nanoTime.getAsLong();
    }

    void publish(Activity activity, long step, int segment) {
        last = new Moment(activity, step, segment, nanoTime.getAsLong());
    }

    void publish(ShardCounts newCounts) {
        counts = newCounts;
    }

    /** Called by the shard's thread only. */
    void publish(ShardWork newWork) {
        work = newWork;
    }
}
