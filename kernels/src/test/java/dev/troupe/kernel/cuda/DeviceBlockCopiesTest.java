package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.Samples;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.BlockCopies;
import dev.troupe.kvstore.BlockCopy;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Copies of blocks of a GPU's store, on the stand-in driver, which does nothing before somebody waits for it. */
@StandInTest
class DeviceBlockCopiesTest {
    private static final int LAYERS = 3;
    private static final int BLOCKS = 7;
    private static final int BLOCK_SIZE = 16;
    private static final int HEAD_DIM = 24;
    private static final int[] ALL = IntStream.range(0, BLOCKS).toArray();

    private static KvStore store(Kernels kernels, KvType type, int layers) {
        return new KvStore(kernels.memory(), type, layers, 2, HEAD_DIM, BLOCK_SIZE, BLOCKS);
    }

    /** Kernels of a GPU with a store, and of plain loops with another; all blocks of both hold the same bytes. */
    private static final class Stores implements AutoCloseable {
        final Arena arena = Arena.ofShared();
        final Kernels onHost = new ReferenceKernels();
        final KvStore hostStore;
        final CudaDevice device = new CudaDevice(0);
        final CudaKernels kernels = new CudaKernels(device);
        final BlockCopies copies = kernels.blockCopies();
        final KvStore store;
        final TokenFlags flags = kernels.flags(arena, 16);

        Stores(KvType type, int layers) {
            hostStore = store(onHost, type, layers);
            store = store(kernels, type, layers);
            byte[] bytes = new byte[(int) (BLOCKS * store.blockBytes())];
            Random random = new Random(9);
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) (0x20 + random.nextInt(0x20)); // finite in every type
            }
            MemorySegment all = arena.allocate(bytes.length, 64).copyFrom(MemorySegment.ofArray(bytes));
            onHost.blockCopies().copyIn(hostStore, ALL, all).await();
            copies.copyIn(store, ALL, all).await();
        }

        Stores() {
            this(KvType.F16, LAYERS);
        }

        MemorySegment staging(int... blocks) {
            return copies.staging(arena, blocks.length * store.blockBytes());
        }

        /** What blocks of the host's store hold now. */
        byte[] wanted(int... blocks) {
            MemorySegment host = arena.allocate(blocks.length * store.blockBytes(), 64);
            onHost.blockCopies().copyOut(hostStore, blocks, host).await();
            return host.toArray(ValueLayout.JAVA_BYTE);
        }

        /** What blocks of the device's store hold after all that was asked of it. */
        byte[] held(int... blocks) {
            MemorySegment host = staging(blocks);
            copies.copyOut(store, blocks, host).await();
            return host.toArray(ValueLayout.JAVA_BYTE);
        }

        Tensor qkv(int tokens, int seed) {
            return Samples.floats(arena, tokens, 6 * HEAD_DIM, new Random(seed));
        }

        /** Writes keys and values of a batch to both stores, which the device does not do yet. */
        void write(TokenBatch batch, int seed) {
            Tensor qkv = qkv(batch.tokens(), seed);
            Tensor onDevice = kernels.memory().place(arena, qkv);
            for (int layer = 0; layer < store.layers(); layer++) {
                onHost.storeKv(hostStore, layer, qkv, batch, TokenFlags.onHost());
                kernels.storeKv(store, layer, onDevice, batch, flags);
            }
        }

        /** The sum of keys and values of a layer, as attention gives it for the last position. */
        Tensor attend(Kernels by, KvStore of, TokenBatch batch) {
            Tensor y = by.memory().floats(arena, batch.tokens(), 2 * HEAD_DIM);
            Tensor qkv = qkv(batch.tokens(), 2);
            by.attention(of, LAYERS - 1, by.memory().place(arena, qkv), 0.3f, 0, batch, y);
            return y;
        }

        @Override
        public void close() {
            store.close();
            kernels.close();
            arena.close();
            device.close();
            hostStore.close();
            onHost.close();
        }
    }

    /** Some tokens of one sequence. */
    private static TokenBatch batch(int from, int tokens, int... blocks) {
        return new TokenBatch(
                new int[tokens], IntStream.range(from, from + tokens).toArray(), new int[tokens], new int[][] {blocks});
    }

    @ParameterizedTest
    @EnumSource(KvType.class)
    void haveTheBytesOfTheHostsStore(KvType type) {
        for (int[] blocks : new int[][] {{2, 3, 4}, {6, 0, 3, 5}, {1}, ALL, {}}) {
            try (Stores stores = new Stores(type, LAYERS)) {
                assertThat(stores.held(blocks))
                        .as("blocks %s", Arrays.toString(blocks))
                        .isEqualTo(stores.wanted(blocks));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(KvType.class)
    void comeBackToOtherBlocksAndNoMore(KvType type) {
        int[] to = {5, 0, 1};
        try (Stores stores = new Stores(type, LAYERS)) {
            MemorySegment host = stores.staging(2, 3, 6);
            stores.copies.copyOut(stores.store, new int[] {2, 3, 6}, host).await();

            stores.copies.copyIn(stores.store, to, host);
            stores.onHost.blockCopies().copyIn(stores.hostStore, to, host);

            assertThat(stores.held(ALL)).isEqualTo(stores.wanted(ALL));
        }
    }

    @Test
    void takeTwoCallsABlockWhateverTheLayers() {
        try (Stores stores = new Stores()) {
            long before = StandIn.count("copies_of_rows");

            stores.copies
                    .copyOut(stores.store, new int[] {4, 1, 2}, stores.staging(4, 1, 2))
                    .await();

            assertThat(StandIn.count("copies_of_rows") - before).isEqualTo(6);
        }
    }

    /** As of a cache whose layers are longer than the driver's longest stride; and where there is one layer. */
    @ParameterizedTest
    @ValueSource(ints = {1, LAYERS})
    void areTheSameWhereTheDriverDoesNotTakeTheirStride(int layers) {
        StandIn.set("pitch", 1000);
        long before = StandIn.count("copies_of_rows");
        try (Stores stores = new Stores(KvType.F32, layers)) {
            assertThat(stores.held(6, 0, 3)).isEqualTo(stores.wanted(6, 0, 3));
            assertThat(StandIn.count("copies_of_rows")).isEqualTo(before);
        }
    }

    @Test
    void outHaveWhatWasComputedBefore() {
        try (Stores stores = new Stores()) {
            stores.write(batch(10, 12, 4, 1), 1);

            assertThat(stores.held(1, 4)).isEqualTo(stores.wanted(1, 4));
        }
    }

    @Test
    void outHaveNothingThatIsWrittenLater() {
        try (Stores stores = new Stores()) {
            byte[] wanted = stores.wanted(1, 4);
            MemorySegment host = stores.staging(1, 4);

            BlockCopy copy = stores.copies.copyOut(stores.store, new int[] {1, 4}, host);
            stores.write(batch(10, 12, 4, 1), 1);
            stores.flags.marked(); // waits for the kernels

            copy.await();
            assertThat(host.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(wanted);
            assertThat(stores.held(1, 4)).isEqualTo(stores.wanted(1, 4));
        }
    }

    @Test
    void inAreSeenByWhatUsesTheBlocksLater() {
        try (Stores stores = new Stores()) {
            TokenBatch reading = batch(40, 2, 2, 5, 0);
            MemorySegment host = stores.staging(0, 5);
            host.fill((byte) 0x31);
            stores.onHost.blockCopies().copyIn(stores.hostStore, new int[] {0, 5}, host);
            Tensor wanted = stores.attend(stores.onHost, stores.hostStore, reading);

            stores.copies.copyIn(stores.store, new int[] {0, 5}, host);

            Tensor y = stores.attend(stores.kernels, stores.store, reading);
            assertThat(stores.kernels.memory().read(y, 2)).isEqualTo(wanted.copyRows(0, 2));
        }
    }

    @Test
    void inComeAfterWhatHasUsedTheBlocks() {
        try (Stores stores = new Stores()) {
            TokenBatch reading = batch(40, 2, 2, 5, 0);
            Tensor wanted = stores.attend(stores.onHost, stores.hostStore, reading);
            Tensor y = stores.attend(stores.kernels, stores.store, reading);
            MemorySegment host = stores.staging(0, 5);

            stores.copies.copyIn(stores.store, new int[] {0, 5}, host).await();

            assertThat(stores.kernels.memory().read(y, 2)).isEqualTo(wanted.copyRows(0, 2));
        }
    }

    /** The second of a batch's operations, after a copy that was asked for in between. */
    @Test
    void areOrderedInTheMiddleOfABatchToo() {
        try (Stores stores = new Stores()) {
            TokenBatch writing = batch(3, 2, 4);
            stores.write(writing, 1);
            byte[] wanted = stores.wanted(4);
            MemorySegment host = stores.staging(4);

            BlockCopy copy = stores.copies.copyOut(stores.store, new int[] {4}, host);
            stores.write(writing, 2);
            stores.flags.marked();

            copy.await();
            assertThat(host.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(wanted);
        }
    }

    @Test
    void doNotKeepKernelsThatUseOtherBlocks() {
        try (Stores stores = new Stores()) {
            BlockCopy in = stores.copies.copyIn(stores.store, new int[] {0, 5}, stores.staging(0, 5));
            BlockCopy out = stores.copies.copyOut(stores.store, new int[] {1, 2}, stores.staging(1, 2));

            stores.write(batch(34, 3, 1, 2, 3), 1);
            stores.flags.marked();

            assertThat(in.isDone()).isFalse();
            assertThat(out.isDone()).isFalse();
            stores.write(batch(20, 3, 1, 2), 1);
            stores.flags.marked();
            assertThat(out.isDone()).isTrue();
        }
    }

    @Test
    void areOrderedBeforeWorkThatIsReplayed() {
        try (Stores stores = new Stores()) {
            TokenBatch writing = batch(3, 2, 4);
            Tensor qkv = stores.kernels.memory().place(stores.arena, stores.qkv(2, 5));
            Runnable work = () -> {
                for (int layer = 0; layer < LAYERS; layer++) {
                    stores.kernels.storeKv(stores.store, layer, qkv, writing, stores.flags);
                }
            };
            stores.kernels.repeat("write", 2, writing, work);
            stores.kernels.repeat("write", 2, writing, work);
            byte[] zeros = new byte[(int) stores.store.blockBytes()];
            stores.copies.copyIn(stores.store, new int[] {4}, stores.staging(4)).await();
            MemorySegment host = stores.staging(4);

            BlockCopy copy = stores.copies.copyOut(stores.store, new int[] {4}, host);
            stores.kernels.repeat("write", 2, writing, work);
            stores.flags.marked();

            copy.await();
            assertThat(stores.kernels.graphReplays()).isEqualTo(1);
            assertThat(host.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(zeros);
            assertThat(stores.held(4)).isNotEqualTo(zeros);
        }
    }

    @Test
    void takeNoMoreEventsOrPinnedMemoryHoweverMany() {
        try (Stores stores = new Stores()) {
            MemorySegment host = stores.staging(1);
            stores.copies.copyOut(stores.store, new int[] {1}, host).await();
            List<String> things = List.of("events", "pinned", "bytes", "streams");
            List<Long> before = things.stream().map(StandIn::count).toList();

            for (int i = 0; i < 20; i++) {
                stores.copies.copyOut(stores.store, new int[] {1}, host).await();
                BlockCopy polled = stores.copies.copyIn(stores.store, new int[] {2}, host);
                assertThat(polled.isDone()).isFalse();
                polled.await();
                assertThat(polled.isDone()).isTrue();
            }

            assertThat(things.stream().map(StandIn::count).toList()).isEqualTo(before);
        }
    }

    @Test
    void areRefusedWhereNothingFits() {
        try (Stores stores = new Stores()) {
            MemorySegment one = stores.staging(1);

            assertThatIllegalArgumentException()
                    .isThrownBy(() -> stores.copies.copyIn(stores.store, new int[] {7}, one))
                    .withMessage("blocks=[7] with block 7, the store has 7");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> stores.copies.copyOut(stores.store, new int[] {1, 2}, one));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> stores.copies.copyOut(stores.store, new int[] {1}, one.asReadOnly()))
                    .withMessageStartingWith("blocks=[1] are copied out to memory that is not read-only, this is ");
            stores.copies.copyIn(stores.store, new int[] {1}, one.asReadOnly()).await();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> stores.copies.copyOut(stores.hostStore, new int[] {1}, one))
                    .withMessageContaining("does not lie in the memory of device 0");
            assertThatIllegalStateException()
                    .isThrownBy(() -> stores.kernels.repeat(
                            "copy", 1, null, () -> stores.copies.copyOut(stores.store, new int[] {1}, one)))
                    .withMessageStartingWith("copying blocks cannot be part of work that is repeated");
        }
    }

    @Test
    void saysThatTheDeviceHasFailed() {
        try (Stores stores = new Stores()) {
            StandIn.set("fail_after", 1);
            stores.write(batch(0, 1, 4), 1);
            BlockCopy copy = stores.copies.copyOut(stores.store, new int[] {4}, stores.staging(4));

            for (ThrowingCallable call : List.<ThrowingCallable>of(copy::await, copy::isDone)) {
                assertThatThrownBy(call)
                        .isInstanceOf(CudaException.class)
                        .hasMessageContaining("CUDA_ERROR_LAUNCH_FAILED");
            }
            StandIn.heal();
        }
    }

    @Test
    void endWithTheirKernels() {
        BlockCopy waited;
        BlockCopy forgotten;
        try (Stores stores = new Stores()) {
            MemorySegment host = stores.staging(4);
            waited = stores.copies.copyOut(stores.store, new int[] {4}, host);
            waited.await();
            forgotten = stores.copies.copyOut(stores.store, new int[] {4}, host);
        }

        waited.await();
        assertThat(waited.isDone()).isTrue();
        assertThat(forgotten.isDone()).isFalse();
        assertThatIllegalStateException()
                .isThrownBy(forgotten::await)
                .withMessage("the kernels were closed before the copy of blocks was waited for");
    }
}
