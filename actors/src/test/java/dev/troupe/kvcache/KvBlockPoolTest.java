package dev.troupe.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.tensor.Ints;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KvBlockPoolTest {
    @Test
    void handsOutEveryBlockOnce() {
        KvBlockPool pool = new KvBlockPool(5, 16);

        Ints blocks = pool.allocate(2).append(pool.allocate(3));

        assertThat(blocks.stream()).containsExactlyInAnyOrder(0, 1, 2, 3, 4);
        assertThat(pool.free()).isZero();
        assertThat(pool.held()).isEqualTo(5);
    }

    @Test
    void refusesMoreBlocksThanAreFree() {
        KvBlockPool pool = new KvBlockPool(5, 16);
        pool.allocate(1);
        pool.release(pool.allocate(2), 7);

        assertThatThrownBy(() -> pool.allocate(3))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("asked for 3 KV blocks: free=2, retiring=2, held=1");
    }

    @Test
    void keepsABlockUntilTheLastStepThatTouchesItHasRetired() {
        KvBlockPool pool = new KvBlockPool(1, 16);
        Ints block = pool.allocate(1);

        pool.release(block, 4);
        pool.retire(3);

        assertThat(pool.free()).isZero();
        assertThat(pool.retiring()).isEqualTo(1);

        pool.retire(4);

        assertThat(pool.free()).isEqualTo(1);
        assertThat(pool.retiring()).isZero();
    }

    @Test
    void freesABlockAtOnceWhoseStepsHaveRetired() {
        KvBlockPool pool = new KvBlockPool(1, 16);
        Ints block = pool.allocate(1);
        pool.retire(4);

        pool.release(block, 4);

        assertThat(pool.free()).isEqualTo(1);
    }

    @Test
    void waitsForTheLatestStepOfAllFormerHolders() {
        KvBlockPool pool = new KvBlockPool(1, 16);
        Ints block = pool.allocate(1);
        pool.share(block);

        pool.release(block, 9);
        assertThat(pool.held()).isEqualTo(1);
        pool.release(block, 2);
        pool.retire(8);

        assertThat(pool.free()).isZero();
        pool.retire(9);
        assertThat(pool.free()).isEqualTo(1);
    }

    @Test
    void forgetsTheStepsOfFormerHoldersWhenABlockIsAllocatedAgain() {
        KvBlockPool pool = new KvBlockPool(1, 16);
        pool.release(pool.allocate(1), 9);
        pool.retire(9);

        pool.release(pool.allocate(1), 0);

        assertThat(pool.free()).isEqualTo(1);
    }

    @Test
    void handsOutTheLongestFreeBlockFirst() {
        KvBlockPool pool = new KvBlockPool(3, 16);
        Ints all = pool.allocate(3);

        pool.release(Ints.of(all.get(1)), 0);
        pool.release(Ints.of(all.get(0)), 0);

        assertThat(pool.allocate(2)).isEqualTo(Ints.of(all.get(1), all.get(0)));
    }

    @Test
    void refusesToReleaseWhatNobodyHolds() {
        KvBlockPool pool = new KvBlockPool(2, 16);
        Ints block = pool.allocate(1);
        pool.release(block, 0);

        assertThatThrownBy(() -> pool.release(block, 0))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("cannot release KV block 0: it has no holder");
        assertThatThrownBy(() -> pool.share(Ints.of(2))).hasMessage("cannot share KV block 2: there are 2");
    }

    @Test
    void countsTheBlocksOfAnyNumberOfTokens() {
        KvBlockPool pool = new KvBlockPool(2, 16);

        assertThat(pool.blocksFor(0)).isZero();
        assertThat(pool.blocksFor(16)).isEqualTo(1);
        assertThat(pool.blocksFor(17)).isEqualTo(2);
    }

    /** A holder of blocks as the test sees it. */
    private record Holding(Ints blocks, long usedUntil) {}

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void neverLosesOrDoublesABlockUnderRandomOperations(long seed) {
        Random random = new Random(seed);
        KvBlockPool pool = new KvBlockPool(1 + random.nextInt(40), 16);
        List<Holding> holdings = new ArrayList<>();
        ArrayDeque<Long> inFlight = new ArrayDeque<>();
        long step = 0;
        long retired = 0;
        List<Holding> touched = new ArrayList<>();
        for (int i = 0; i < 3000; i++) {
            switch (random.nextInt(5)) {
                case 0 -> {
                    Ints blocks = pool.allocate(random.nextInt(pool.free() + 1));
                    assertThat(Collections.disjoint(stillTouched(touched, retired), set(blocks)))
                            .isTrue();
                    holdings.add(new Holding(blocks, step));
                }
                case 1 -> inFlight.add(++step);
                case 2 -> {
                    if (!inFlight.isEmpty()) {
                        retired = inFlight.remove();
                        pool.retire(retired);
                    }
                }
                case 3 -> {
                    if (!holdings.isEmpty()) {
                        Holding shared = holdings.get(random.nextInt(holdings.size()));
                        pool.share(shared.blocks());
                        holdings.add(shared);
                    }
                }
                default -> {
                    if (!holdings.isEmpty()) {
                        Holding gone = holdings.remove(random.nextInt(holdings.size()));
                        long usedUntil = step - random.nextInt(3);
                        pool.release(gone.blocks(), usedUntil);
                        touched.add(new Holding(gone.blocks(), usedUntil));
                    }
                }
            }
            pool.checkIntegrity();
            assertThat(pool.held()).isEqualTo(held(holdings).size());
        }

        holdings.forEach(holding -> pool.release(holding.blocks(), 0));
        pool.retire(step);

        pool.checkIntegrity();
        assertThat(pool.free()).isEqualTo(pool.total());
    }

    private static Set<Integer> stillTouched(List<Holding> touched, long retired) {
        touched.removeIf(holding -> holding.usedUntil() <= retired);
        return held(touched);
    }

    private static Set<Integer> held(List<Holding> holdings) {
        Set<Integer> blocks = new HashSet<>();
        holdings.forEach(holding -> blocks.addAll(set(holding.blocks())));
        return blocks;
    }

    private static Set<Integer> set(Ints blocks) {
        Set<Integer> set = new HashSet<>();
        blocks.stream().forEach(set::add);
        return set;
    }
}
