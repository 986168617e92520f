package dev.troupe.kvstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Copies of blocks of a store in the host's memory: what a block is outside of a store. */
class BlockCopiesTest {
    private static final int BLOCKS = 5;

    private static KvStore store(KvType type) {
        return new KvStore(type, 3, 2, 24, 16, BLOCKS);
    }

    private static KvStore random(KvType type) {
        KvStore store = store(type);
        Random random = new Random(5);
        for (int layer = 0; layer < store.layers(); layer++) {
            for (MemorySegment memory : List.of(store.keys(layer), store.values(layer))) {
                byte[] bytes = new byte[(int) memory.byteSize()];
                random.nextBytes(bytes);
                memory.copyFrom(MemorySegment.ofArray(bytes));
            }
        }
        return store;
    }

    @ParameterizedTest
    @EnumSource(KvType.class)
    void standsByBlocksThenByLayersKeysFirst(KvType type) {
        try (KvStore store = random(type);
                Arena arena = Arena.ofConfined()) {
            MemorySegment host = BlockCopies.onHost().staging(arena, 2 * store.blockBytes());

            BlockCopy copy = BlockCopies.onHost().copyOut(store, new int[] {3, 1}, host);

            assertThat(copy.isDone()).isTrue();
            long at = 0;
            for (int block : new int[] {3, 1}) {
                for (int layer = 0; layer < 3; layer++) {
                    for (int i = 0; i < store.keyBlockBytes(); i++, at++) {
                        assertThat(host.get(ValueLayout.JAVA_BYTE, at))
                                .isEqualTo(store.keys(layer)
                                        .get(ValueLayout.JAVA_BYTE, store.keyOffset(block, 0, 0, 0) + i));
                    }
                    for (int i = 0; i < store.valueBlockBytes(); i++, at++) {
                        assertThat(host.get(ValueLayout.JAVA_BYTE, at))
                                .isEqualTo(store.values(layer)
                                        .get(ValueLayout.JAVA_BYTE, store.valueOffset(block, 0, 0, 0) + i));
                    }
                }
            }
            assertThat(at).isEqualTo(host.byteSize());
        }
    }

    @ParameterizedTest
    @EnumSource(KvType.class)
    void comesBackToTheBlocksThatAreNamedAndNoOther(KvType type) {
        try (KvStore store = random(type);
                KvStore other = store(type);
                Arena arena = Arena.ofConfined()) {
            MemorySegment host = BlockCopies.onHost().staging(arena, 2 * store.blockBytes());
            BlockCopies.onHost().copyOut(store, new int[] {3, 1}, host).await();

            BlockCopies.onHost().copyIn(other, new int[] {0, 4}, host).await();

            for (int layer = 0; layer < 3; layer++) {
                for (int block = 0; block < BLOCKS; block++) {
                    int source = block == 0 ? 3 : block == 4 ? 1 : -1;
                    assertThat(keys(other, layer, block))
                            .isEqualTo(source < 0 ? new byte[(int) other.keyBlockBytes()] : keys(store, layer, source));
                    assertThat(values(other, layer, block))
                            .isEqualTo(
                                    source < 0
                                            ? new byte[(int) other.valueBlockBytes()]
                                            : values(store, layer, source));
                }
            }
        }
    }

    private static byte[] keys(KvStore store, int layer, int block) {
        return store.keys(layer)
                .asSlice(store.keyOffset(block, 0, 0, 0), store.keyBlockBytes())
                .toArray(ValueLayout.JAVA_BYTE);
    }

    private static byte[] values(KvStore store, int layer, int block) {
        return store.values(layer)
                .asSlice(store.valueOffset(block, 0, 0, 0), store.valueBlockBytes())
                .toArray(ValueLayout.JAVA_BYTE);
    }

    @Test
    void refusesWhatTheStoreDoesNotHaveAndMemoryThatDoesNotFit() {
        try (KvStore store = store(KvType.F16);
                Arena arena = Arena.ofConfined()) {
            BlockCopies copies = BlockCopies.onHost();
            MemorySegment two = copies.staging(arena, 2 * store.blockBytes());

            assertThatIllegalArgumentException()
                    .isThrownBy(() -> copies.copyOut(store, new int[] {1, 5}, two))
                    .withMessage("blocks=[1, 5] with block 5, the store has 5");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> copies.copyIn(store, new int[] {-1, 1}, two))
                    .withMessage("blocks=[-1, 1] with block -1, the store has 5");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> copies.copyIn(store, new int[] {2, 2}, two))
                    .withMessage("blocks=[2, 2] with block 2 twice");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> copies.copyOut(store, new int[] {1}, two))
                    .withMessageStartingWith("blocks=[1] take 10752 bytes of native memory, this is ");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> copies.copyOut(
                            store, new int[] {1}, MemorySegment.ofArray(new byte[(int) store.blockBytes()])))
                    .withMessageContaining("of native memory, this is ");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> copies.copyOut(store, new int[] {1, 2}, two.asReadOnly()))
                    .withMessageStartingWith("blocks=[1, 2] are copied out to memory that is not read-only, this is ");
            copies.copyIn(store, new int[] {1, 2}, two.asReadOnly()).await();
        }
    }
}
