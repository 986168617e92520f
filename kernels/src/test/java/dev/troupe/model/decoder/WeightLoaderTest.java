package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.troupe.kernel.FarMemory;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.Partition;
import dev.troupe.model.ShardStep;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.SyntheticModel;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Floats;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import dev.troupe.weights.WeightFormatException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class WeightLoaderTest {
    @Test
    void touchesOnlyTheRowsOfItsRank() throws IOException {
        try (Checkpoint checkpoint = SyntheticModel.named("tiny:bf16")) {
            Map<String, String> touched = new TreeMap<>();
            RowCheck recording =
                    (tensor, from, to) -> touched.put(tensor.name(), from + " to " + to + " of " + tensor.rows());

            WeightLoader.load(checkpoint, slice(checkpoint, 2, 2, 1, 1), 1, recording, LoadProgress.NONE)
                    .close();

            assertThat(touched.keySet())
                    .allMatch(name -> name.startsWith("model.layers.2.")
                            || name.startsWith("model.layers.3.")
                            || name.equals("model.norm.weight")
                            || name.equals("lm_head.weight"));
            assertThat(touched)
                    .containsEntry("model.layers.2.self_attn.q_proj.weight", "64 to 128 of 128")
                    .containsEntry("model.layers.2.self_attn.k_proj.weight", "32 to 64 of 64")
                    .containsEntry("model.layers.3.mlp.up_proj.weight", "64 to 160 of 160")
                    .containsEntry("lm_head.weight", "512 to 640 of 640");
        }
    }

    @Test
    void reportsProgressUpToTheBytesOfItsSlice() throws IOException {
        try (Checkpoint checkpoint = SyntheticModel.named("tiny:q8_0")) {
            long all = 0;
            for (int stage = 0; stage < 2; stage++) {
                for (int rank = 0; rank < 3; rank++) {
                    List<Long> done = new ArrayList<>();
                    ShardSlice slice = slice(checkpoint, 2, 3, stage, rank);
                    long expected = WeightLoader.bytes(checkpoint, slice);

                    WeightLoader.load(checkpoint, slice, 3, RowCheck.NONE, (bytes, total) -> {
                                assertThat(total).isEqualTo(expected);
                                done.add(bytes);
                            })
                            .close();

                    assertThat(done).isSorted().hasSizeGreaterThan(7).last().isEqualTo(expected);
                    all += expected;
                }
            }
            ModelConfig config = checkpoint.config();
            assertThat(all)
                    .isEqualTo(
                            WeightLoader.bytes(checkpoint, ShardSlice.of(config, Partition.even(config, 1, 1), 0, 0)));
        }
    }

    @Test
    void givesTheSameWeightsWithAnyNumberOfThreads() throws IOException {
        int[] ids = {5, 77, 3};
        TokenBatch batch = new TokenBatch(ids, new int[] {0, 1, 2}, new int[3], new int[][] {{0}});
        List<Floats> logits = new ArrayList<>();
        try (Checkpoint checkpoint = SyntheticModel.named("tiny:q8_0")) {
            for (int threads : new int[] {1, 2, 7}) {
                ShardWeights weights = WeightLoader.load(
                        checkpoint, slice(checkpoint, 1, 1, 0, 0), threads, RowCheck.NONE, LoadProgress.NONE);
                try (DecoderShard shard =
                                new DecoderShard(weights, new ReferenceKernels(), new KvSettings(KvType.F16, 16, 1));
                        ShardStep step = shard.begin(batch, null)) {
                    for (int segment = 0; segment < shard.segments(); segment++) {
                        step.compute();
                        step.finish(List.of());
                    }
                    logits.add(step.logits(new int[] {2}));
                }
            }
        }

        assertThat(logits).containsOnly(logits.getFirst());
    }

    /** An output matrix of 20 MB, and no more than 8 MB at a time. */
    @Test
    void givesADeviceItsWeightsPieceByPiece() throws IOException {
        int vocabulary = 40_000;
        try (Checkpoint tiny = SyntheticModel.named("tiny-256:bf16");
                Checkpoint checkpoint =
                        SyntheticModel.random(wide(tiny.config(), vocabulary), DType.BF16, "large", 3)) {
            FarMemory memory = new FarMemory();
            ShardSlice slice = slice(checkpoint, 1, 1, 0, 0);

            ShardWeights weights = WeightLoader.load(checkpoint, slice, memory, 2, RowCheck.NONE, LoadProgress.NONE);

            try (weights;
                    ShardWeights expected = WeightLoader.load(checkpoint, slice, 2, RowCheck.NONE, LoadProgress.NONE)) {
                assertThat(memory.largest()).isBetween(7L << 20, 8L << 20);
                assertThat(memory.written()).isGreaterThan(weights.bytesPerToken());
                PackedMatrix head =
                        Objects.requireNonNull(weights.head()).parts().getFirst();
                assertThat(head.byteSize()).isEqualTo(2L * 256 * vocabulary);
                assertThat(head.memory()
                                .mismatch(Objects.requireNonNull(expected.head())
                                        .parts()
                                        .getFirst()
                                        .memory()))
                        .isEqualTo(-1);
                assertThat(weights.layers()
                                .getFirst()
                                .inputNorm()
                                .memory()
                                .mismatch(
                                        expected.layers().getFirst().inputNorm().memory()))
                        .isEqualTo(-1);
            }
        }
    }

    @Test
    void freesWeightsWhenTheLastHolderClosesThem() throws IOException {
        try (Checkpoint checkpoint = SyntheticModel.named("tiny:f16")) {
            ShardWeights weights =
                    WeightLoader.load(checkpoint, slice(checkpoint, 1, 1, 0, 0), 1, RowCheck.NONE, LoadProgress.NONE);
            var memory = weights.layers().getFirst().qkv().parts().getFirst().memory();

            weights.share().close();
            assertThat(memory.scope().isAlive()).isTrue();
            weights.close();

            assertThat(memory.scope().isAlive()).isFalse();
            assertThatIllegalStateException().isThrownBy(weights::share);
            assertThatIllegalStateException().isThrownBy(weights::close);
        }
    }

    @Test
    void leavesAShardThatComputesWhenItsCheckpointIsClosed() throws IOException {
        DecoderShard shard;
        try (Checkpoint checkpoint = SyntheticModel.named("tiny:f16")) {
            shard = new DecoderShard(
                    WeightLoader.load(checkpoint, slice(checkpoint, 1, 1, 0, 0), 1, RowCheck.NONE, LoadProgress.NONE),
                    new ReferenceKernels(),
                    new KvSettings(KvType.F16, 16, 1));
        }
        TokenBatch batch = new TokenBatch(new int[] {1, 2}, new int[] {0, 1}, new int[2], new int[][] {{0}});

        try (shard;
                ShardStep step = shard.begin(batch, null)) {
            assertThat(step.compute()).isEmpty();
        }
    }

    @Test
    void stopsAtTheFirstPieceThatDoesNotPass() throws IOException {
        try (Checkpoint checkpoint = SyntheticModel.named("tiny:f32")) {
            RowCheck suspicious = (tensor, from, to) -> {
                if (tensor.name().endsWith("down_proj.weight")) {
                    throw new WeightFormatException("seen " + tensor.name());
                }
            };

            assertThatExceptionOfType(WeightFormatException.class)
                    .isThrownBy(() -> WeightLoader.load(
                            checkpoint, slice(checkpoint, 1, 1, 0, 0), 3, suspicious, LoadProgress.NONE))
                    .withMessage("seen model.layers.0.mlp.down_proj.weight");
        }
    }

    @Test
    void refusesARankThatThePartitionDoesNotHave() throws IOException {
        try (Checkpoint checkpoint = SyntheticModel.named("tiny:f32")) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> slice(checkpoint, 2, 2, 1, 2))
                    .withMessageContaining("no stage 1 rank 2");
        }
    }

    /** Of another vocabulary, and one layer. */
    private static ModelConfig wide(ModelConfig config, int vocabulary) {
        return new ModelConfig(
                config.modelType(),
                1,
                config.hiddenSize(),
                config.intermediateSize(),
                config.heads(),
                config.kvHeads(),
                config.headDim(),
                vocabulary,
                config.maxPositions(),
                config.rmsNormEps(),
                config.rope(),
                0,
                List.of(false),
                false,
                false,
                false,
                false,
                false,
                null,
                List.of(2));
    }

    private static ShardSlice slice(Checkpoint checkpoint, int stages, int ranks, int stage, int rank) {
        return ShardSlice.of(checkpoint.config(), Partition.even(checkpoint.config(), stages, ranks), stage, rank);
    }
}
