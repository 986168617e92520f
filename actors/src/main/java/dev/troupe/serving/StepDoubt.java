package dev.troupe.serving;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Whether a step that has given no result in time is lost or only late. A deadline that is short enough to be of use is
 * missed by a busy machine too, so the nodes are asked: a rank whose node does not answer is lost, and so is one that hangs in
 * a unit of work. While some rank computes or gets further, the step is late. Ranks of which none does, between two looks,
 * wait for a message that is lost. Owned by one thread.
 */
final class StepDoubt {
    /** How long a node may take to answer. */
    static final Duration WITHIN = Duration.ofSeconds(2);

    /** How long to wait before the next look. */
    static final Duration AGAIN = Duration.ofSeconds(1);

    private final Duration most;
    private long step;
    private int looks;
    private Map<ShardId, Long> before = Map.of();

    /**
     * @param most a step that is late for so long is lost, whatever its ranks do
     */
    StepDoubt(Duration most) {
        this.most = most;
    }

    /** What to do about a late step. */
    sealed interface Judgement {}

    /** Wait, and look again. */
    enum Late implements Judgement {
        LATE
    }

    /**
     * The epoch is over.
     *
     * @param reason for people
     * @param link whether links between ranks are to blame, as far as one can see
     */
    record Lost(String reason, boolean link) implements Judgement {}

    /**
     * Judges.
     *
     * @param waited how long it was to take, at most
     * @param findings what the nodes said; null if nobody did
     */
    Judgement judge(
            Epoch epoch, ReplicaPlan plan, long overdue, Duration waited, Placement.@Nullable Findings findings) {
        if (overdue != step) {
            step = overdue;
            looks = 0;
            before = Map.of();
        }
        looks++;
        Map<ShardId, Placement.RankReport> ranks = new HashMap<>();
        if (findings != null) {
            findings.ranks().forEach(rank -> ranks.put(rank.id(), rank));
        }
        List<String> silent = new ArrayList<>();
        List<String> stuck = new ArrayList<>();
        Map<ShardId, Long> units = new HashMap<>();
        boolean computing = false;
        for (ShardId id : ids(epoch, plan)) {
            Placement.RankReport rank = ranks.get(id);
            if (rank == null) {
                silent.add(plan.describe(id.stage(), id.rank()));
                continue;
            }
            switch (rank.state()) {
                case STUCK -> stuck.add(plan.describe(id.stage(), id.rank()));
                case COMPUTING -> computing = true;
                case OTHER -> {}
            }
            units.put(id, rank.work().units());
        }
        boolean first = before.isEmpty();
        boolean further = !units.equals(before);
        before = Map.copyOf(units);
        if (!silent.isEmpty()) {
            return new Lost(
                    "no sign of life within %d s of %s".formatted(WITHIN.toSeconds(), String.join(", ", silent)),
                    false);
        }
        if (!stuck.isEmpty()) {
            return new Lost("%s hangs in a unit of work".formatted(String.join(", ", stuck)), false);
        }
        if (AGAIN.multipliedBy(looks).compareTo(most(waited)) > 0) {
            return new Lost("it is late for %d looks in a row".formatted(looks), true);
        }
        return first || further || computing
                ? Late.LATE
                : new Lost("no rank computes and none gets further: a message between them is lost", true);
    }

    /** A derived deadline may be long for a reason. */
    private Duration most(Duration waited) {
        return waited.compareTo(most) > 0 ? waited : most;
    }

    private static List<ShardId> ids(Epoch epoch, ReplicaPlan plan) {
        List<ShardId> ids = new ArrayList<>();
        for (int stage = 0; stage < plan.slots().size(); stage++) {
            for (int rank = 0; rank < plan.slots().get(stage).size(); rank++) {
                ids.add(new ShardId(epoch, stage, rank));
            }
        }
        return ids;
    }
}
