package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.cuda.CudaKernels;
import dev.troupe.kernel.cuda.StandInTest;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.BlockCopies;
import dev.troupe.kvstore.BlockCopy;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.Partition;
import dev.troupe.model.ShardStep;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.Floats;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A generation whose keys and values move from device to device goes on with the same tokens and logits. */
@StandInTest
class MovedBlocksTest {
    private static final int BLOCK_SIZE = 16;
    private static final int[] PROMPT = IntStream.range(3, 40).toArray();
    private static final int STEPS = 5;

    private static DecoderShard shard(Checkpoint checkpoint, Kernels kernels, KvType type) throws IOException {
        ShardSlice slice = ShardSlice.of(checkpoint.config(), Partition.even(checkpoint.config(), 1, 1), 0, 0);
        return new DecoderShard(
                WeightLoader.load(checkpoint, slice, kernels.memory(), 1, RowCheck.NONE, LoadProgress.NONE),
                kernels,
                new KvSettings(type, BLOCK_SIZE, 8));
    }

    /** The logits after the last of some tokens of one sequence. */
    private static Floats run(DecoderShard shard, int[] ids, int from, int[] blocks) {
        int tokens = ids.length - from;
        TokenBatch batch = new TokenBatch(
                Arrays.copyOfRange(ids, from, ids.length),
                IntStream.range(from, ids.length).toArray(),
                new int[tokens],
                new int[][] {blocks});
        try (ShardStep step = shard.begin(batch, null)) {
            for (int segment = 0; segment < shard.segments(); segment++) {
                step.compute();
                step.finish(List.of());
            }
            return step.logits(new int[] {tokens - 1});
        }
    }

    /** A sequence that was computed up to its last token but one, and the logits after each since. */
    @SuppressWarnings("ArrayRecordComponent") // never leaves this class
    private record Generation(int[] ids, List<Floats> logits) {
        static Generation begin(DecoderShard shard, int[] blocks) {
            return new Generation(PROMPT, List.of(run(shard, PROMPT, 0, blocks)));
        }

        /** Some greedy tokens more. */
        Generation on(DecoderShard shard, int tokens, int[] blocks) {
            int[] longer = ids;
            List<Floats> more = new ArrayList<>(logits);
            for (int i = 0; i < tokens; i++) {
                Floats last = more.getLast();
                int best = 0;
                for (int id = 1; id < last.columns(); id++) {
                    best = last.get(0, id) > last.get(0, best) ? id : best;
                }
                longer = Arrays.copyOf(longer, longer.length + 1);
                longer[longer.length - 1] = best;
                more.add(run(shard, longer, longer.length - 1, blocks));
            }
            return new Generation(longer, more);
        }
    }

    /** Copies blocks of one shard's store to those of another, and overwrites the first ones. */
    private static void move(DecoderShard from, int[] blocks, DecoderShard to, int[] places) {
        BlockCopies source = from.kernels().blockCopies();
        BlockCopies target = to.kernels().blockCopies();
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host =
                    source.staging(arena, blocks.length * from.store().blockBytes());
            source.copyOut(from.store(), blocks, host).await();
            MemorySegment other = target.staging(arena, host.byteSize()).copyFrom(host);
            BlockCopy in = target.copyIn(to.store(), places, other);
            source.copyIn(from.store(), blocks, host.fill((byte) 0x31)).await();
            in.await();
        }
    }

    @ParameterizedTest
    @EnumSource(KvType.class)
    void goesOnOnAnotherDeviceAndBack(KvType type) throws IOException {
        int[] blocks = {5, 1, 2, 7};
        int[] onHost = {0, 6, 3, 4};
        int[] back = {2, 3, 4, 0};
        try (Checkpoint checkpoint = Checkpoints.open("tiny:bf16");
                CudaDevice device = new CudaDevice(0);
                DecoderShard gpu = shard(checkpoint, new CudaKernels(device), type);
                DecoderShard cpu = shard(checkpoint, new ReferenceKernels(), type)) {
            Generation expected = Generation.begin(cpu, blocks).on(cpu, 3 * STEPS, blocks);

            Generation moved = Generation.begin(gpu, blocks).on(gpu, STEPS, blocks);
            move(gpu, blocks, cpu, onHost);
            moved = moved.on(cpu, STEPS, onHost);
            move(cpu, onHost, gpu, back);
            moved = moved.on(gpu, STEPS, back);

            assertThat(moved.ids()).isEqualTo(expected.ids());
            assertThat(moved.logits()).isEqualTo(expected.logits());
        }
    }
}
