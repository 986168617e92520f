package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.cuda.CudaKernels;
import dev.troupe.kernel.cuda.StandIn;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.SyntheticModel;
import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a rank is said to need of its device's memory. */
class ShardMemoryTest {
    /** 512 tokens of a hidden size of 64. */
    private static final long BUFFER = 128 << 10;

    private static final KvSettings KV = new KvSettings(KvType.F16, 32, 17);

    private static ShardSlice slice(Checkpoint checkpoint, int stages, int ranks, int rank) {
        return ShardSlice.of(checkpoint.config(), Partition.even(checkpoint.config(), stages, ranks), 0, rank);
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 0, 512, 1, 2", "1, 2, 0, 512, 1, 6", "1, 2, 0, 300, 1, 6", "1, 2, 1, 512, 3, 18"})
    void countsBuffersForHiddenStatesAndForSumsOfTwoSegments(
            int stages, int ranks, int rank, int tokens, int steps, int buffers) throws IOException {
        try (Checkpoint checkpoint = SyntheticModel.named("tiny:f32")) {
            ShardSlice slice = slice(checkpoint, stages, ranks, rank);

            long bytes = ShardMemory.exchange(checkpoint.config(), slice, DecoderShard.capacity(tokens), steps);

            assertThat(bytes).isEqualTo(BUFFER * buffers);
            ShardMemory all = ShardMemory.of(checkpoint, slice, KV, tokens, steps);
            assertThat(all.workspace()).isGreaterThan(bytes + (96 << 20));
        }
    }

    /** Buffers stay when a model is closed: they are the device's. Steps of all sizes leave some of each. */
    @Tag("cuda")
    @Test
    void countsAllBuffersThatStepsOfAllSizesTake() throws IOException {
        StandIn.require();
        int most = 512;
        try (Checkpoint checkpoint = SyntheticModel.named("tiny:bf16");
                CudaDevice device = new CudaDevice(0)) {
            Partition partition = Partition.even(checkpoint.config(), 2, 3);
            LocalModel model =
                    LocalModel.load(checkpoint, partition, () -> new CudaKernels(device), KV, LoadProgress.NONE);
            int[] blocks = IntStream.range(0, KV.blocks()).toArray();
            for (int tokens = 4; tokens <= most; tokens *= 2) {
                model.run(
                        new TokenBatch(
                                new int[tokens], IntStream.range(0, tokens).toArray(), new int[tokens], new int[][] {
                                    blocks
                                }),
                        new int[0]);
            }
            model.close();

            long counted = 0;
            for (int stage = 0; stage < 2; stage++) {
                for (int rank = 0; rank < 3; rank++) {
                    ShardSlice slice = ShardSlice.of(checkpoint.config(), partition, stage, rank);
                    counted += ShardMemory.exchange(checkpoint.config(), slice, DecoderShard.capacity(most), 1);
                }
            }
            assertThat(device.memory().held(Use.WORKSPACE)).isBetween(3 * BUFFER, counted);
        }
        StandIn.requireNothingLeft();
    }
}
