package dev.troupe.cluster.guardian;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.model.decoder.ShardSlice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class WeightCacheTest {
    private final AtomicInteger loads = new AtomicInteger();
    private final WeightCache<Counted> cache = new WeightCache<>(100, Counted::share, Counted::release);

    /** Stands for weights: counts its holders. */
    private static final class Counted {
        private final AtomicInteger holders = new AtomicInteger(1);

        Counted share() {
            assertThat(holders.getAndIncrement()).isPositive();
            return this;
        }

        void release() {
            assertThat(holders.decrementAndGet()).isNotNegative();
        }

        boolean isFreed() {
            return holders.get() == 0;
        }
    }

    private static WeightCache.Key key(int layer) {
        return new WeightCache.Key("llama", "f00d", "cpu0", new ShardSlice(layer, layer + 1, 0, 1, 0, 0, false, false));
    }

    private Counted get(int layer, long bytes) throws Exception {
        return cache.get(key(layer), () -> {
            loads.incrementAndGet();
            return new WeightCache.Loaded<>(new Counted(), bytes);
        });
    }

    @Test
    void outlivesTheShardThatLoadedIt() throws Exception {
        Counted first = get(0, 40);
        first.release();

        Counted second = get(0, 40);

        assertThat(second).isSameAs(first);
        assertThat(second.isFreed()).isFalse();
        assertThat(loads).hasValue(1);
    }

    @Test
    void evictsTheLeastRecentlyUsedAndFreesItWhenNobodyComputesWithIt() throws Exception {
        Counted zero = get(0, 40);
        Counted one = get(1, 40);
        zero.release();
        one.release();
        get(0, 40).release();

        get(2, 40).release();

        assertThat(one.isFreed()).isTrue();
        assertThat(zero.isFreed()).isFalse();
        assertThat(cache.holds(key(1))).isFalse();
        assertThat(cache.bytes()).isEqualTo(80);
    }

    @Test
    void leavesEvictedWeightsToTheShardThatComputesWithThem() throws Exception {
        Counted busy = get(0, 80);

        get(1, 80).release();

        assertThat(cache.holds(key(0))).isFalse();
        assertThat(busy.isFreed()).isFalse();
        busy.release();
        assertThat(busy.isFreed()).isTrue();
    }

    @Test
    void doesNotKeepWhatIsLargerThanItself() throws Exception {
        Counted small = get(0, 40);

        Counted large = get(1, 101);

        assertThat(cache.holds(key(0))).isTrue();
        assertThat(cache.holds(key(1))).isFalse();
        large.release();
        assertThat(large.isFreed()).isTrue();
        assertThat(small.isFreed()).isFalse();
    }

    @Test
    void keepsNothingOfALoadThatFails() throws Exception {
        assertThatThrownBy(() -> cache.get(key(0), () -> {
                    throw new IOException("no such file");
                }))
                .hasMessage("no such file");

        get(0, 40);
        assertThat(loads).hasValue(1);
    }

    @Test
    void givesEverythingUpWhenItIsClosed() throws Exception {
        Counted zero = get(0, 0);
        Counted one = get(1, 40);
        zero.release();
        one.release();

        cache.close();

        assertThat(zero.isFreed()).isTrue();
        assertThat(one.isFreed()).isTrue();
        Counted late = get(2, 10);
        late.release();
        assertThat(late.isFreed()).isTrue();
    }

    @Test
    void loadsASliceOnceWhenManyWantIt() throws Exception {
        List<Callable<Counted>> wanted = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            int layer = i % 2;
            wanted.add(() -> get(layer, 40));
        }
        List<Counted> got = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
            for (Future<Counted> each : threads.invokeAll(wanted)) {
                got.add(each.get());
            }
        }

        assertThat(loads).hasValue(2);
        assertThat(got.get(0).holders).hasValue(33);
        assertThat(got.get(1).holders).hasValue(33);
    }
}
