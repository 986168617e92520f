package dev.troupe.model.decoder;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.model.Partition;
import dev.troupe.model.ShardCompute;
import dev.troupe.model.ShardStep;
import dev.troupe.model.SubtreeSum;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Rows;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import dev.troupe.weights.WeightFormatException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A whole model in one thread and without actors: every rank of every stage of a partition, driven in turn. What the
 * distributed runtime must equal, bit for bit.
 */
public final class LocalModel implements AutoCloseable {
    private final List<List<ShardCompute>> stages;
    private final int vocabularySize;
    private final int[] blockTable;
    private final int longest;

    private LocalModel(List<List<ShardCompute>> stages, int vocabularySize, int maxPositions, KvSettings kv) {
        this.stages = stages;
        this.vocabularySize = vocabularySize;
        this.blockTable = IntStream.range(0, kv.blocks()).toArray();
        this.longest = Math.min(maxPositions, kv.tokens());
    }

    /**
     * Loads every share of {@code partition}.
     *
     * @param kernels called once for every rank, which closes what it gets
     */
    public static LocalModel load(
            Checkpoint checkpoint, Partition partition, Supplier<Kernels> kernels, KvSettings kv, LoadProgress progress)
            throws WeightFormatException {
        List<List<ShardCompute>> stages = new ArrayList<>();
        LocalModel model = new LocalModel(
                stages,
                checkpoint.config().vocabularySize(),
                checkpoint.config().maxPositions(),
                kv);
        boolean loaded = false;
        try {
            for (int s = 0; s < partition.stages().size(); s++) {
                stages.add(new ArrayList<>());
                for (int r = 0; r < partition.stages().get(s).ranks().size(); r++) {
                    ShardSlice slice = ShardSlice.of(checkpoint.config(), partition, s, r);
                    stages.getLast().add(shard(checkpoint, slice, kernels.get(), kv, progress));
                }
            }
            loaded = true;
            return model;
        } finally {
            if (!loaded) {
                model.close();
            }
        }
    }

    private static DecoderShard shard(
            Checkpoint checkpoint, ShardSlice slice, Kernels kernels, KvSettings kv, LoadProgress progress)
            throws WeightFormatException {
        boolean loaded = false;
        try {
            ShardWeights weights = WeightLoader.load(checkpoint, slice, kernels.memory(), 1, RowCheck.NONE, progress);
            DecoderShard shard = new DecoderShard(weights, kernels, kv);
            loaded = true;
            return shard;
        } finally {
            if (!loaded) {
                kernels.close();
            }
        }
    }

    /**
     * Logits after some tokens of a batch.
     *
     * @param batch any sequences, whose earlier positions were run before
     * @param rows token indices that want logits
     * @return {@code [rows.length, vocabulary]}
     * @throws ArithmeticException if a token met a value that is not finite
     */
    public Floats run(TokenBatch batch, int[] rows) {
        Rows hidden = null;
        Floats logits = new Floats(0, vocabularySize, new float[0]);
        for (int s = 0; s < stages.size(); s++) {
            List<ShardStep> steps = new ArrayList<>();
            for (ShardCompute shard : stages.get(s)) {
                steps.add(shard.begin(batch, hidden));
            }
            runSegments(steps, stages.get(s).getFirst().segments());
            if (s == stages.size() - 1) {
                logits = join(steps.stream().map(step -> step.logits(rows)).toList(), rows.length);
            } else {
                hidden = steps.getFirst().hidden();
                hidden.expectReaders(stages.get(s + 1).size());
            }
            requireFinite(steps, batch);
            steps.forEach(ShardStep::close);
        }
        return logits;
    }

    private static void runSegments(List<ShardStep> steps, int segments) {
        for (int segment = 0; segment < segments; segment++) {
            List<List<SubtreeSum>> sums = new ArrayList<>();
            for (ShardStep step : steps) {
                sums.add(step.compute());
                sums.getLast().forEach(sum -> sum.values().expectReaders(steps.size() - 1));
            }
            for (int r = 0; r < steps.size(); r++) {
                List<SubtreeSum> peers = new ArrayList<>();
                for (int other = 0; other < steps.size(); other++) {
                    if (other != r) {
                        peers.addAll(sums.get(other));
                    }
                }
                steps.get(r).finish(peers);
            }
        }
    }

    private static void requireFinite(List<ShardStep> steps, TokenBatch batch) {
        BitSet failed = new BitSet();
        steps.forEach(step -> failed.or(step.failedTokens()));
        int token = failed.nextSetBit(0);
        if (token >= 0) {
            steps.forEach(ShardStep::close);
            throw new ArithmeticException("token id=%d at position=%d led to a value that is not finite"
                    .formatted(batch.id(token), batch.position(token)));
        }
    }

    private Floats join(List<Floats> shares, int rows) {
        float[] values = new float[Math.multiplyExact(rows, vocabularySize)];
        int column = 0;
        for (Floats share : shares) {
            float[] own = share.toArray();
            for (int row = 0; row < rows; row++) {
                System.arraycopy(own, row * share.columns(), values, row * vocabularySize + column, share.columns());
            }
            column += share.columns();
        }
        return new Floats(rows, vocabularySize, values);
    }

    /**
     * Logits after every token of one sequence that starts at position 0.
     *
     * @param chunk tokens to compute in one step
     * @return {@code [ids.length, vocabulary]}
     */
    public Floats logits(int[] ids, int chunk) {
        List<Floats> rows = new ArrayList<>();
        for (int from = 0; from < ids.length; from += chunk) {
            int to = Math.min(ids.length, from + chunk);
            rows.add(run(sequence(ids, from, to), IntStream.range(0, to - from).toArray()));
        }
        return new Floats(
                ids.length, vocabularySize, concatenate(rows, Math.multiplyExact(ids.length, vocabularySize)));
    }

    private static float[] concatenate(List<Floats> rows, int size) {
        float[] values = new float[size];
        int at = 0;
        for (Floats part : rows) {
            float[] own = part.toArray();
            System.arraycopy(own, 0, values, at, own.length);
            at += own.length;
        }
        return values;
    }

    /**
     * The {@code count} tokens that greedy decoding appends to {@code prompt}; an end of sequence does not stop it.
     *
     * @param chunk prompt tokens to compute in one step
     * @throws IllegalArgumentException if prompt and completion do not fit
     */
    public int[] greedy(int[] prompt, int count, int chunk) {
        if (prompt.length == 0 || prompt.length + count > longest) {
            throw new IllegalArgumentException("prompt=%d tokens and completion=%d tokens, expected 1 to %d in all"
                    .formatted(prompt.length, count, longest));
        }
        int[] ids = Arrays.copyOf(prompt, prompt.length + count);
        int computed = 0;
        for (int known = prompt.length; known < ids.length; known++) {
            Floats last = null;
            while (computed < known) {
                int to = Math.min(known, computed + chunk);
                last = run(sequence(ids, computed, to), to == known ? new int[] {to - computed - 1} : new int[0]);
                computed = to;
            }
            ids[known] = best(last);
        }
        return Arrays.copyOfRange(ids, prompt.length, ids.length);
    }

    private static int best(@Nullable Floats row) {
        int best = 0;
        for (int id = 1; row != null && id < row.columns(); id++) {
            if (row.get(0, id) > row.get(0, best)) {
                best = id;
            }
        }
        return best;
    }

    /** Tokens {@code [from, to)} of the only sequence, which has every block. */
    private TokenBatch sequence(int[] ids, int from, int to) {
        return new TokenBatch(
                Arrays.copyOfRange(ids, from, to),
                IntStream.range(from, to).toArray(),
                new int[to - from],
                new int[][] {blockTable});
    }

    @Override
    public void close() {
        stages.forEach(ranks -> ranks.forEach(ShardCompute::close));
    }
}
