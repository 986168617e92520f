package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.CandidateQuery;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.cuda.CudaKernels;
import dev.troupe.kernel.cuda.StandIn;
import dev.troupe.kernel.cuda.StandInTest;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.Partition;
import dev.troupe.model.ShardStep;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.sampling.TokenScore;
import dev.troupe.tensor.Floats;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps of whole models that come again as graphs, on the stand-in driver, give the bits of the plain loops. */
@StandInTest
class RepeatedStepsTest {
    private static final int BLOCK = 32;
    private static final KvSettings KV = new KvSettings(KvType.F16, BLOCK, 12);

    private final List<CudaKernels> opened = new ArrayList<>();

    @BeforeEach
    void needsTwoDevices() {
        StandIn.set("devices", 2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen2", "qwen3", "tiny:bf16", "tiny:q4_0"})
    void equalTheReferenceKernelsOnOneDevice(String name) throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(name);
                CudaDevice device = new CudaDevice(0)) {
            List<Floats> expected = serve(checkpoint, 1, 1, ReferenceKernels::new);

            assertThat(serve(checkpoint, 1, 1, () -> new CudaKernels(device, false)))
                    .isEqualTo(expected);
            assertThat(serve(checkpoint, 1, 1, () -> opened(device))).isEqualTo(expected);

            CudaKernels kernels = opened.getFirst();
            assertThat(kernels.graphCaptures()).isPositive();
            assertThat(kernels.graphReplays()).isGreaterThan(kernels.graphCaptures());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen3", "tiny:q8_0"})
    void equalTheReferenceKernelsSplitOverTwoDevices(String name) throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(name);
                CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1)) {
            List<Floats> expected = serve(checkpoint, 1, 1, ReferenceKernels::new);

            assertThat(serve(checkpoint, 2, 2, () -> opened(opened.size() % 2 == 0 ? first : second)))
                    .isEqualTo(expected);

            assertThat(opened).hasSize(4).allSatisfy(kernels -> {
                assertThat(kernels.graphCaptures()).isPositive();
                assertThat(kernels.graphReplays()).isGreaterThan(kernels.graphCaptures());
            });
        }
    }

    /** Three sequences that begin at different times and grow; prompts by pieces come in between. */
    private static List<Floats> serve(Checkpoint checkpoint, int stages, int ranks, Supplier<Kernels> kernels)
            throws IOException {
        try (LocalModel model = LocalModel.load(
                checkpoint, Partition.even(checkpoint.config(), stages, ranks), kernels, KV, LoadProgress.NONE)) {
            Serving serving = new Serving(model, checkpoint.config().vocabularySize());
            serving.step(3, 0, 0);
            serving.steps(4, 1, 0, 0); // in the smallest workspace
            serving.step(0, 90, 0); // which this replaces
            serving.steps(3, 1, 1, 0);
            serving.step(1, 0, 30);
            serving.steps(3, 1, 1, 1);
            serving.steps(2, 1, 1, 2); // the same bucket
            serving.step(1, 27, 0);
            serving.steps(6, 1, 1, 0); // one grows beyond the first span, for which memory was taken before
            serving.steps(2, 1, 1, 1);
            return serving.logits;
        }
    }

    private static final class Serving {
        private final LocalModel model;
        private final int vocabulary;
        private final Random random = new Random(3);
        private final int[] lengths = new int[3];
        private final List<Floats> logits = new ArrayList<>();

        Serving(LocalModel model, int vocabulary) {
            this.model = model;
            this.vocabulary = vocabulary;
        }

        void steps(int count, int... tokens) {
            for (int i = 0; i < count; i++) {
                step(tokens);
            }
        }

        /** A step with so many more tokens of each sequence, and logits behind the last one of each. */
        void step(int... tokens) {
            List<Integer> ids = new ArrayList<>();
            List<Integer> positions = new ArrayList<>();
            List<Integer> sequences = new ArrayList<>();
            List<Integer> wanted = new ArrayList<>();
            for (int s = 0; s < tokens.length; s++) {
                for (int t = 0; t < tokens[s]; t++) {
                    ids.add(random.nextInt(vocabulary));
                    positions.add(lengths[s]++);
                    sequences.add(s);
                }
                if (tokens[s] > 0) {
                    wanted.add(ids.size() - 1);
                }
            }
            logits.add(model.run(
                    new TokenBatch(ints(ids), ints(positions), ints(sequences), new int[][] {
                        {0, 3, 6, 9}, {11, 8, 5, 2, 10}, {1, 4, 7}
                    }),
                    ints(wanted)));
        }

        private static int[] ints(List<Integer> list) {
            return list.stream().mapToInt(Integer::intValue).toArray();
        }
    }

    @Test
    void doNotMixWhatIsOpenAtOnce() throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open("tiny:bf16");
                CudaDevice device = new CudaDevice(0);
                DecoderShard plain = shard(checkpoint, new ReferenceKernels());
                DecoderShard repeating = shard(checkpoint, opened(device))) {
            for (int position = 0; position < 5; position++) {
                List<Floats> expected = twoSteps(plain, position);

                assertThat(twoSteps(repeating, position)).isEqualTo(expected);
            }

            // for each of two states: the step and its logits
            assertThat(opened.getFirst().graphCaptures()).isEqualTo(3);
        }
    }

    /** A token of each of two sequences, in steps that are both open. */
    private static List<Floats> twoSteps(DecoderShard shard, int position) {
        try (ShardStep one = shard.begin(token(0, position), null);
                ShardStep two = shard.begin(token(1, position), null)) {
            List<ShardStep> steps = List.of(one, two);
            for (int segment = 0; segment < shard.segments(); segment++) {
                steps.forEach(step -> {
                    step.compute();
                    step.finish(List.of());
                });
            }
            return steps.stream().map(step -> step.logits(new int[] {0})).toList();
        }
    }

    private static TokenBatch token(int sequence, int position) {
        int id = 7 * position + sequence;
        return new TokenBatch(new int[] {id}, new int[] {position}, new int[1], new int[][] {{sequence}});
    }

    @ParameterizedTest
    @ValueSource(strings = {"tiny:bf16", "tiny:q8_0"})
    void takeAFewOperationsOfTheHost(String name) throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(name);
                CudaDevice device = new CudaDevice(0);
                DecoderShard shard = shard(checkpoint, opened(device))) {
            CudaKernels kernels = opened.getFirst();
            IntStream.range(0, 3).forEach(position -> decode(shard, position));
            long before = kernels.operations();

            decode(shard, 3);

            // marks; batch; rows of the embedding, their kernel; graph; rows that are wanted, their kernel; graph;
            // logits, two kinds of marks
            assertThat(kernels.operations() - before).isEqualTo(11);
        }
    }

    private static void decode(DecoderShard shard, int position) {
        try (ShardStep step = shard.begin(token(0, position), null)) {
            for (int segment = 0; segment < shard.segments(); segment++) {
                step.compute();
                step.finish(List.of());
            }
            step.logits(new int[] {0});
            assertThat(step.failedTokens().isEmpty()).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void waitOnceForMarksAndKnowOfLogitsThatOverflowWithoutIt(boolean searched) throws IOException {
        try (CudaDevice device = new CudaDevice(0);
                DecoderShard shard = shard(DecoderShardTest.large("lm_head.weight", 3e38f), opened(device));
                ShardStep step = shard.begin(
                        new TokenBatch(new int[] {3, 5, 7}, new int[] {0, 1, 2}, new int[3], new int[][] {{0}}),
                        null)) {
            for (int segment = 0; segment < shard.segments(); segment++) {
                step.compute();
                step.finish(List.of());
            }
            assertThat(step.failedTokens().stream()).isEmpty();
            int[] rows = {0, 2};
            if (searched) {
                CandidateQuery query = new TokenScore(1, 0).query();
                Objects.requireNonNull(step.logitSearch()).candidates(rows, List.of(query, query));
            } else {
                step.logits(rows);
            }
            long before = opened.getFirst().operations();

            assertThat(step.failedTokens().stream()).containsExactly(0, 2);

            assertThat(opened.getFirst().operations()).isEqualTo(before);
        }
    }

    private CudaKernels opened(CudaDevice device) {
        CudaKernels kernels = new CudaKernels(device);
        opened.add(kernels);
        return kernels;
    }

    private static DecoderShard shard(Checkpoint checkpoint, Kernels kernels) throws IOException {
        ShardSlice slice = ShardSlice.of(checkpoint.config(), Partition.even(checkpoint.config(), 1, 1), 0, 0);
        return new DecoderShard(
                WeightLoader.load(checkpoint, slice, kernels.memory(), 1, RowCheck.NONE, LoadProgress.NONE),
                kernels,
                KV);
    }
}
