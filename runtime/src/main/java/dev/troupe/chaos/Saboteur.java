package dev.troupe.chaos;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.model.ShardCompute;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.stage.Partial;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardLoader;
import dev.troupe.stage.TensorRoad;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What stands between a node's ranks and their roads and kernels where chaos is enabled, and does nothing until it is told
 * to. Where chaos is off, it is not there. Thread-safe.
 */
public final class Saboteur {
    /** Exit status of a process that was killed by SIGKILL, as shells report it. */
    static final int KILLED = 137;

    private static final int NO_TOKEN = -1;

    private final ConcurrentHashMap<String, Long> cutUntil = new ConcurrentHashMap<>();
    private final LongAdder cut = new LongAdder();
    private final LongAdder slowed = new LongAdder();
    private final LongAdder stuck = new LongAdder();
    private final long unitDelay;
    private volatile boolean crashing;
    private volatile int poison = NO_TOKEN;
    private volatile double factor = 1;
    private volatile long slowUntil = System.nanoTime();
    private volatile long stuckUntil = System.nanoTime();

    /** @param unitDelay what every unit of compute takes more from the beginning: room for faults between two tokens */
    public Saboteur(Duration unitDelay) {
        this.unitDelay = unitDelay.toNanos();
    }

    /** {@code road}, as disturbed as it is told to be. */
    public TensorRoad road(TensorRoad road) {
        return (peer, message) -> {
            if (isCut(peer.lane())) {
                cut.increment();
                return;
            }
            road.send(peer, message);
            if (crashing && message instanceof Partial) {
                Runtime.getRuntime().halt(KILLED);
            }
        };
    }

    /** {@code loader}, whose shares are as slow as they are told to be. */
    public ShardLoader loader(ShardLoader loader) {
        Saboteur saboteur = this;
        return new ShardLoader() {
            @Override
            public ShardCompute load(ShardId id, ReplicaPlan plan) throws Exception {
                ShardCompute compute = loader.load(id, plan);
                return new DisturbedCompute(compute, saboteur, id.stage() == 0 && id.rank() == 0);
            }

            @Override
            public @Nullable TokenTable tokens(ReplicaPlan plan) throws Exception {
                return loader.tokens(plan);
            }
        };
    }

    private boolean isCut(String lane) {
        Long until = cutUntil.isEmpty() ? null : cutUntil.get(lane);
        return until != null && System.nanoTime() - until < 0;
    }

    void cut(String lane, Duration duration) {
        cutUntil.put(lane, System.nanoTime() + duration.toNanos());
    }

    void crashInExchange() {
        crashing = true;
    }

    void poison(int token) {
        poison = token;
    }

    /** Whether it kills to compute these tokens. */
    boolean isDeadly(TokenBatch batch) {
        int deadly = poison;
        return deadly != NO_TOKEN && IntStream.range(0, batch.tokens()).anyMatch(token -> batch.id(token) == deadly);
    }

    void slow(double newFactor, Duration duration) {
        slowUntil = System.nanoTime() + duration.toNanos();
        factor = newFactor;
    }

    void stick(Duration duration) {
        stuckUntil = System.nanoTime() + duration.toNanos();
    }

    /** On the compute thread, after a unit of work that took {@code nanos}. */
    void afterWork(long nanos) {
        long now = System.nanoTime();
        waitUntil(now + unitDelay);
        if (now - slowUntil < 0) {
            slowed.increment();
            waitUntil(System.nanoTime() + (long) ((nanos + unitDelay) * (factor - 1)));
        }
        if (System.nanoTime() - stuckUntil < 0) {
            stuck.increment();
            waitUntil(stuckUntil);
        }
    }

    private static void waitUntil(long until) {
        for (long left = until - System.nanoTime(); left > 0; left = until - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    long cutMessages() {
        return cut.sum();
    }

    long slowedUnits() {
        return slowed.sum();
    }

    long stuckUnits() {
        return stuck.sum();
    }
}
