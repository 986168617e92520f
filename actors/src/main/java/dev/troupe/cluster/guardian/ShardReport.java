package dev.troupe.cluster.guardian;

import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardProgress;
import dev.troupe.stage.ShardWork;
import java.time.Duration;

/**
 * How far a shard is, as its node sees it.
 *
 * @param slot where it runs
 * @param step it is about, 0 before the first
 * @param segment 0-based segment of its stage
 * @param age since it published that
 * @param work what it has done in its epoch
 */
public record ShardReport(
        ShardId id, String slot, Condition condition, long step, int segment, Duration age, ShardWork work) {
    /** What the last published moment means. */
    public enum Condition {
        /** Reading weights. */
        LOADING,
        /** No step is open. */
        IDLE,
        /** In the local work of a segment, for no longer than it may. */
        ADVANCING,
        /** Steps are open and wait for peers: who is stuck, if anybody is, is somebody else. */
        WAITING,
        /** In the local work of one segment for longer than it may. */
        STUCK,
        /** Gone. */
        ENDED
    }

    /**
     * Reads {@code progress}.
     *
     * @param nanos now, by {@link System#nanoTime()}, in nanoseconds
     * @param stuckAfter how long one segment may take
     */
    public static ShardReport of(ShardProgress progress, String slot, long nanos, Duration stuckAfter) {
        ShardProgress.Moment last = progress.last();
        Duration age = Duration.ofNanos(Math.max(0, nanos - last.nanos()));
        Condition condition = switch (last.activity()) {
            case LOADING -> Condition.LOADING;
            case IDLE -> Condition.IDLE;
            case COMPUTING -> age.compareTo(stuckAfter) > 0 ? Condition.STUCK : Condition.ADVANCING;
            case WAITING -> Condition.WAITING;
            case ENDED -> Condition.ENDED;
        };
        return new ShardReport(progress.id(), slot, condition, last.step(), last.segment(), age, progress.work());
    }
}
