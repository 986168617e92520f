package dev.troupe.model.decoder;

import static dev.troupe.model.decoder.VectorModelTest.LENGTH;
import static dev.troupe.model.decoder.VectorModelTest.logits;
import static org.assertj.core.api.Assertions.assertThat;

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
import dev.troupe.model.ShardCompute;
import dev.troupe.model.ShardStep;
import dev.troupe.model.SubtreeSum;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.Floats;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ranks on devices of one process: sums go from device to device, with the bits of one rank of plain loops. */
@StandInTest
class DeviceExchangeTest {
    private static final String MODEL = "tiny:bf16";
    private static final KvSettings KV = new KvSettings(KvType.F16, 32, 8);

    @BeforeEach
    void needsTwoDevices() {
        StandIn.set("devices", 2);
    }

    private static Supplier<Kernels> turns(CudaDevice... devices) {
        Iterator<CudaDevice> turns =
                Stream.generate(() -> List.of(devices)).flatMap(List::stream).iterator();
        return () -> new CudaKernels(turns.next());
    }

    @ParameterizedTest
    @CsvSource({"1, 2, 1", "1, 2, 0", "1, 4, 1", "1, 4, 0", "2, 3, 1", "2, 2, 0"})
    void givesTheBitsOfOneRank(int stages, int ranks, int peers) throws IOException {
        StandIn.set("peers", peers);
        try (Checkpoint checkpoint = Checkpoints.open(MODEL);
                CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1)) {
            Floats expected = logits(checkpoint, 1, 1, ReferenceKernels::new, LENGTH);

            assertThat(logits(checkpoint, stages, ranks, turns(first, second), 7))
                    .isEqualTo(expected);
        }
    }

    @Test
    void aRankOfAnotherKindReadsFromTheHeap() throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(MODEL);
                CudaDevice device = new CudaDevice(0)) {
            Floats expected = logits(checkpoint, 1, 1, ReferenceKernels::new, LENGTH);
            Iterator<Kernels> kinds = List.of(
                            new ReferenceKernels(),
                            new CudaKernels(device),
                            new CudaKernels(device),
                            new ReferenceKernels())
                    .iterator();

            assertThat(logits(checkpoint, 2, 2, kinds::next, 9)).isEqualTo(expected);
        }
    }

    /** Two ranks, each of which reads one sum of the other in every segment. */
    @Test
    void countsTheBytesThatGoFromDeviceToDevice() throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(MODEL);
                CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1)) {
            long sums = 2L
                    * 2
                    * checkpoint.config().layers()
                    * LENGTH
                    * 4
                    * checkpoint.config().hiddenSize();
            long[] onOne = traffic(checkpoint, turns(first));
            long[] reached = traffic(checkpoint, turns(first, second));
            StandIn.set("peers", 0);
            try (CudaDevice third = new CudaDevice(0);
                    CudaDevice fourth = new CudaDevice(1)) {
                long[] notReached = traffic(checkpoint, turns(third, fourth));

                assertThat(onOne[0]).isZero();
                assertThat(reached).containsExactly(sums, onOne[1], onOne[2]);
                assertThat(notReached).containsExactly(0, onOne[1] + sums, onOne[2] + sums);
            }
        }
    }

    /** Bytes from device to device, to the host and from the host, of a model on two ranks. */
    private static long[] traffic(Checkpoint checkpoint, Supplier<Kernels> kernels) throws IOException {
        List<String> ways = List.of("peered", "downloaded", "uploaded");
        long[] before = ways.stream().mapToLong(StandIn::count).toArray();
        logits(checkpoint, 1, 2, kernels, 12);
        return IntStream.range(0, before.length)
                .mapToLong(i -> StandIn.count(ways.get(i)) - before[i])
                .toArray();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void aStepThatIsDroppedDisturbsNobody(int peers) throws IOException {
        StandIn.set("peers", peers);
        try (Checkpoint checkpoint = Checkpoints.open(MODEL);
                CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1)) {
            Supplier<Kernels> kernels = turns(first, second);
            try (ShardCompute one = shard(checkpoint, 2, 0, kernels.get());
                    ShardCompute other = shard(checkpoint, 2, 1, kernels.get())) {
                List<SubtreeSum> dropped = inTheMiddle(one, other);

                Floats hidden = onTwoRanks(one, other, batch(0, 9));

                assertThat(hidden).isEqualTo(expected(checkpoint, batch(0, 9)));
                assertThat(onHeap(dropped)).isEqualTo(onHeap(inTheMiddle(one, other)));
            }
        }
    }

    /** What a rank has sent before its step ends in the second segment; its peer has read none of it. */
    private static List<SubtreeSum> inTheMiddle(ShardCompute one, ShardCompute other) {
        try (ShardStep ahead = one.begin(batch(0, 5), null);
                ShardStep behind = other.begin(batch(0, 5), null)) {
            List<SubtreeSum> sent = new ArrayList<>(sums(ahead, 1));
            ahead.finish(sums(behind, 1));
            sent.addAll(sums(ahead, 1));
            return sent;
        }
    }

    private static List<Floats> onHeap(List<SubtreeSum> sums) {
        return sums.stream().map(sum -> sum.values().floats()).toList();
    }

    @Test
    void aRankLearnsOfTokensThatFailOnAnotherDeviceAlone() throws IOException {
        Checkpoint checkpoint = DecoderShardTest.withLargeKeysOfTheLastGroup();
        try (CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1);
                ShardCompute one = shard(checkpoint, 2, 0, new CudaKernels(first));
                ShardCompute other = shard(checkpoint, 2, 1, new CudaKernels(second));
                ShardStep unaware = one.begin(batch(0, 2), null);
                ShardStep step = other.begin(batch(0, 2), null)) {
            DecoderShardTest.exchangeAll(unaware, step, one.segments());

            assertThat(unaware.failedTokens().stream()).containsExactly(0, 1);
        }
    }

    @Test
    void aRankFinishesWithTheSumsOfOneThatHasEnded() throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(MODEL);
                CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1);
                ShardCompute other = shard(checkpoint, 2, 1, new CudaKernels(second))) {
            ShardStep step = other.begin(batch(0, 3), null);
            List<SubtreeSum> own = sums(step, 1);
            List<SubtreeSum> sums;
            try (ShardCompute one = shard(checkpoint, 2, 0, new CudaKernels(first));
                    ShardStep ended = one.begin(batch(0, 3), null)) {
                sums = sums(ended, 1);
                ended.finish(own);
            }

            step.finish(sums);
            step.compute();

            assertThat(step.failedTokens().stream()).isEmpty();
            step.close();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void ranksRunOnThreadsOfTheirOwn(int peers) throws Exception {
        StandIn.set("peers", peers);
        int ranks = 4;
        try (Checkpoint checkpoint = Checkpoints.open(MODEL);
                CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1);
                ExecutorService threads = Executors.newFixedThreadPool(ranks)) {
            Supplier<Kernels> kernels = turns(first, second);
            List<LinkedBlockingQueue<List<SubtreeSum>>> mail = new ArrayList<>();
            List<Future<Floats>> answers = new ArrayList<>();
            IntStream.range(0, ranks * ranks).forEach(i -> mail.add(new LinkedBlockingQueue<>()));
            for (int rank = 0; rank < ranks; rank++) {
                int own = rank;
                ShardCompute shard = shard(checkpoint, ranks, rank, kernels.get());
                Callable<Floats> work = () -> {
                    try (shard) {
                        return onOneThread(shard, own, ranks, mail);
                    }
                };
                answers.add(threads.submit(work));
            }

            Floats expected;
            try (ShardCompute whole = shard(checkpoint, 1, 0, new ReferenceKernels())) {
                expected = onOneThread(whole, 0, 1, List.of());
            }
            for (Future<Floats> answer : answers) {
                assertThat(answer.get()).isEqualTo(expected);
            }
        }
    }

    /** The hidden state behind the last of five steps. */
    private static Floats onOneThread(
            ShardCompute shard, int own, int ranks, List<LinkedBlockingQueue<List<SubtreeSum>>> mail)
            throws InterruptedException {
        Floats hidden = new Floats(0, shard.hiddenSize(), new float[0]);
        for (int from = 0; from < 20; from += 4) {
            try (ShardStep step = shard.begin(batch(from, from + 4), null)) {
                for (int segment = 0; segment < shard.segments(); segment++) {
                    List<SubtreeSum> sums = sums(step, ranks - 1);
                    List<SubtreeSum> peers = new ArrayList<>();
                    for (int rank = 0; rank < ranks; rank++) {
                        if (rank != own) {
                            mail.get(own * ranks + rank).add(sums);
                        }
                    }
                    for (int rank = 0; rank < ranks; rank++) {
                        if (rank != own) {
                            peers.addAll(mail.get(rank * ranks + own).take());
                        }
                    }
                    step.finish(peers);
                }
                hidden = step.hidden().floats();
            }
        }
        return hidden;
    }

    private static List<SubtreeSum> sums(ShardStep step, int readers) {
        List<SubtreeSum> sums = step.compute();
        sums.forEach(sum -> sum.values().expectReaders(readers));
        return sums;
    }

    private static Floats onTwoRanks(ShardCompute one, ShardCompute other, TokenBatch batch) {
        try (ShardStep first = one.begin(batch, null);
                ShardStep second = other.begin(batch, null)) {
            for (int segment = 0; segment < one.segments(); segment++) {
                List<SubtreeSum> sums = sums(first, 1);
                first.finish(sums(second, 1));
                second.finish(sums);
            }
            assertThat(second.hidden().floats()).isEqualTo(first.hidden().floats());
            return first.hidden().floats();
        }
    }

    private static Floats expected(Checkpoint checkpoint, TokenBatch batch) throws IOException {
        try (ShardCompute whole = shard(checkpoint, 1, 0, new ReferenceKernels());
                ShardStep step = whole.begin(batch, null)) {
            for (int segment = 0; segment < whole.segments(); segment++) {
                step.compute();
                step.finish(List.of());
            }
            return step.hidden().floats();
        }
    }

    /** Tokens at positions {@code [from, to)} of one sequence. */
    private static TokenBatch batch(int from, int to) {
        int[] positions = IntStream.range(from, to).toArray();
        int[] ids = IntStream.of(positions).map(p -> 7 * p % 640).toArray();
        return new TokenBatch(ids, positions, new int[to - from], new int[][] {{3, 0, 2}});
    }

    private static ShardCompute shard(Checkpoint checkpoint, int ranks, int rank, Kernels kernels) throws IOException {
        ShardSlice slice = ShardSlice.of(checkpoint.config(), Partition.even(checkpoint.config(), 1, ranks), 0, rank);
        return new DecoderShard(
                WeightLoader.load(checkpoint, slice, kernels.memory(), 1, RowCheck.NONE, LoadProgress.NONE),
                kernels,
                KV);
    }
}
