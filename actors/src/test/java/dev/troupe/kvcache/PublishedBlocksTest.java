package dev.troupe.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Blocks that are found by what they hold. */
class PublishedBlocksTest {
    private static PrefixHash name(int content) {
        return new PrefixHash(content, 0, 0, 0);
    }

    /** Allocates a block for each content and publishes it. */
    private static Ints publish(KvBlockPool pool, int... contents) {
        Ints blocks = pool.allocate(contents.length);
        for (int i = 0; i < contents.length; i++) {
            assertThat(pool.publish(blocks.get(i), name(contents[i]))).isTrue();
        }
        return blocks;
    }

    @Test
    void areFoundWithAndWithoutAHolderAndCountAsFreeWithoutOne() {
        KvBlockPool pool = new KvBlockPool(3, 16);
        Ints block = publish(pool, 7);
        assertThat(pool.find(name(7))).hasValue(block.get(0));

        pool.release(block, 0);

        assertThat(pool.find(name(7))).hasValue(block.get(0));
        assertThat(pool.find(name(8))).isEmpty();
        assertThat(pool.free()).isEqualTo(3);
        assertThat(pool.published()).isEqualTo(1);
        pool.checkIntegrity();
    }

    @Test
    void areSharedWithoutAHolderAndWhileStepsThatReadThemAreInFlight() {
        KvBlockPool pool = new KvBlockPool(2, 16);
        Ints cached = publish(pool, 1);
        Ints retiring = publish(pool, 2);
        pool.release(cached, 0);
        pool.release(retiring, 9);

        assertThat(pool.freeAmong(cached.append(retiring))).isEqualTo(1);
        pool.share(cached.append(retiring));

        assertThat(pool.held()).isEqualTo(2);
        assertThat(pool.retiring()).isZero();
        pool.checkIntegrity();
        pool.release(retiring, 3);
        assertThat(pool.free()).as("a step in flight reads it").isZero();
        pool.retire(9);
        assertThat(pool.free()).isEqualTo(1);
        pool.checkIntegrity();
    }

    @Test
    void areGivenToOthersOnlyWhenThereIsNoEmptyOne() {
        KvBlockPool pool = new KvBlockPool(3, 16);
        Ints kept = publish(pool, 1);
        pool.release(kept, 0);

        pool.allocate(2);
        assertThat(pool.find(name(1))).isPresent();
        assertThat(pool.evictions()).isZero();

        assertThat(pool.allocate(1)).isEqualTo(kept);
        assertThat(pool.find(name(1))).isEmpty();
        assertThat(pool.evictions()).isEqualTo(1);
        pool.checkIntegrity();
    }

    @Test
    void areGivenToOthersLeastRecentlyUsedFirst() {
        KvBlockPool pool = new KvBlockPool(3, 16);
        for (int content = 0; content < 3; content++) {
            pool.release(publish(pool, content), 0);
        }
        Ints used = Ints.of(pool.find(name(0)).orElseThrow());
        pool.share(used);
        pool.release(used, 0);

        pool.allocate(1);
        assertThat(pool.find(name(1))).isEmpty();
        pool.allocate(1);
        assertThat(pool.find(name(2))).isEmpty();
        assertThat(pool.find(name(0))).isPresent();
    }

    @Test
    void ofOneSequenceAreGivenToOthersLastFirst() {
        KvBlockPool pool = new KvBlockPool(3, 16);
        pool.release(publish(pool, 0, 1, 2), 4);
        pool.retire(4);

        pool.allocate(2);

        assertThat(IntStream.range(0, 3)
                        .filter(content -> pool.find(name(content)).isPresent()))
                .containsExactly(0);
    }

    @Test
    void areFoundOnceWhenTwoHoldTheSame() {
        KvBlockPool pool = new KvBlockPool(2, 16);
        Ints first = publish(pool, 5);
        Ints second = pool.allocate(1);

        assertThat(pool.publish(second.get(0), name(5))).isFalse();
        assertThat(pool.publish(first.get(0), name(5))).isTrue();

        assertThat(pool.find(name(5))).hasValue(first.get(0));
        pool.release(second, 0);
        assertThat(pool.allocate(1)).as("the one that is not found").isEqualTo(second);
        pool.checkIntegrity();
    }

    @Test
    void areNeverPublishedWithoutAHolderOrUnderAnotherName() {
        KvBlockPool pool = new KvBlockPool(2, 16);
        Ints block = publish(pool, 5);

        assertThatThrownBy(() -> pool.publish(1, name(6))).hasMessage("cannot publish KV block 1: it has no holder");
        assertThatThrownBy(() -> pool.publish(block.get(0), name(6)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageStartingWith("KV block 0 holds 0000000000000005")
                .hasMessageEndingWith("a full block is never written");
    }

    /** A pool under random sequences, and what the test knows of its blocks. */
    private static final class Load {
        private record Holding(List<Integer> contents, Ints blocks) {}

        private final Random random;
        private final KvBlockPool pool;
        private final Map<Integer, Integer> written = new HashMap<>();
        private final List<Holding> holdings = new ArrayList<>();
        private long step;
        private long retired;
        private long hits;

        Load(long seed) {
            random = new Random(seed);
            pool = new KvBlockPool(1 + random.nextInt(40), 16);
        }

        void operate() {
            switch (random.nextInt(5)) {
                case 0 -> begin();
                case 1 -> step++;
                case 2 -> {
                    retired = Math.min(step, retired + 1);
                    pool.retire(retired);
                }
                case 3 -> publish();
                default -> {
                    if (!holdings.isEmpty()) {
                        Holding gone = holdings.remove(random.nextInt(holdings.size()));
                        pool.release(gone.blocks(), step - random.nextInt(3));
                    }
                }
            }
        }

        /** Shares the first blocks of a chain that are there, and allocates the others. */
        private void begin() {
            int root = 100 * random.nextInt(8);
            List<Integer> contents =
                    IntStream.range(root, root + 1 + random.nextInt(6)).boxed().toList();
            int shared = 0;
            int[] found = new int[contents.size()];
            while (shared < contents.size()
                    && pool.find(name(contents.get(shared))).isPresent()) {
                found[shared] = pool.find(name(contents.get(shared))).orElseThrow();
                assertThat(written.get(found[shared])).isEqualTo(contents.get(shared));
                shared++;
            }
            Ints old = Ints.of(found).slice(0, shared);
            if (pool.free() - pool.freeAmong(old) < contents.size() - shared) {
                return;
            }
            pool.share(old);
            hits += shared;
            Ints fresh = pool.allocate(contents.size() - shared);
            for (int i = 0; i < fresh.size(); i++) {
                assertThat(holdings)
                        .noneMatch(holding -> holding.blocks().stream().anyMatch(new Taken(fresh)::has));
                written.put(fresh.get(i), contents.get(shared + i));
            }
            holdings.add(new Holding(contents, old.append(fresh)));
        }

        private record Taken(Ints blocks) {
            boolean has(int block) {
                return blocks.stream().anyMatch(taken -> taken == block);
            }
        }

        private void publish() {
            if (!holdings.isEmpty()) {
                Holding holding = holdings.get(random.nextInt(holdings.size()));
                for (int i = 0; i < holding.contents().size(); i++) {
                    pool.publish(
                            holding.blocks().get(i), name(holding.contents().get(i)));
                }
            }
        }

        void check() {
            pool.checkIntegrity();
            long held = holdings.stream()
                    .flatMapToInt(holding -> holding.blocks().stream())
                    .distinct()
                    .count();
            assertThat(pool.held()).isEqualTo((int) held);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void alwaysHoldWhatTheyAreFoundByUnderRandomOperations(long seed) {
        Load load = new Load(seed);

        for (int i = 0; i < 5000; i++) {
            load.operate();
            load.check();
        }

        assertThat(load.hits).isPositive();
        load.holdings.forEach(holding -> load.pool.release(holding.blocks(), 0));
        load.pool.retire(load.step);
        load.pool.checkIntegrity();
        assertThat(load.pool.free()).isEqualTo(load.pool.total());
        assertThat(load.pool.allocate(load.pool.total()).size()).isEqualTo(load.pool.total());
        assertThat(load.pool.published()).isZero();
    }
}
