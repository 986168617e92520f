package dev.troupe.stage;

import dev.troupe.kernel.SumTree;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.model.Partition;
import dev.troupe.model.ShardCompute;
import dev.troupe.model.ShardStep;
import dev.troupe.model.SubtreeSum;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Rows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One rank's share of a {@link CountingModel}. Refuses steps that overtake, and reads of keys that nobody wrote. */
final class CountingShard implements ShardCompute {
    private static final int NOT_WRITTEN = -1;

    private final CountingModel model;
    private final Partition.Stage stage;
    private final Partition.Rank rank;
    private final boolean last;
    private final int blockSize;
    private final int[][][] keys;
    private final int[] stepsThrough;
    private int steps;
    private int openSteps;
    private boolean closed;

    CountingShard(CountingModel model, Partition partition, int stage, int rank, int blocks, int blockSize) {
        this.model = model;
        this.stage = partition.stages().get(stage);
        this.rank = this.stage.ranks().get(rank);
        this.last = stage == partition.stages().size() - 1;
        this.blockSize = blockSize;
        this.keys = new int[this.stage.layers()][this.rank.toGroup() - this.rank.fromGroup()][blocks * blockSize];
        for (int[][] layer : keys) {
            for (int[] group : layer) {
                Arrays.fill(group, NOT_WRITTEN);
            }
        }
        this.stepsThrough = new int[segments()];
    }

    @Override
    public int segments() {
        return 2 * stage.layers();
    }

    @Override
    public int hiddenSize() {
        return model.hidden();
    }

    @Override
    public int firstVocabularyRow() {
        return last ? rank.fromRow() : 0;
    }

    @Override
    public int vocabularyRows() {
        return last ? rank.toRow() - rank.fromRow() : 0;
    }

    boolean closed() {
        return closed;
    }

    int openSteps() {
        return openSteps;
    }

    @Override
    public ShardStep begin(TokenBatch batch, @Nullable Rows hidden) {
        if ((hidden == null) != (stage.fromLayer() == 0)) {
            throw new IllegalArgumentException(
                    "hidden=%s in a stage from layer %d".formatted(hidden, stage.fromLayer()));
        }
        openSteps++;
        return new Step(batch, hidden, steps++);
    }

    @Override
    public void close() {
        closed = true;
    }

    private final class Step implements ShardStep {
        private final TokenBatch batch;
        private final int number;
        private final int[][] state;
        private final BitSet failed = new BitSet();
        private List<SubtreeSum> own = List.of();
        private int segment;
        private boolean computed;

        Step(TokenBatch batch, @Nullable Rows hidden, int number) {
            this.batch = batch;
            this.number = number;
            this.state = new int[batch.tokens()][model.hidden()];
            for (int t = 0; t < batch.tokens(); t++) {
                for (int c = 0; c < model.hidden(); c++) {
                    state[t][c] = hidden == null
                            ? model.embedding(batch.id(t), c)
                            : (int) hidden.floats().get(t, c);
                }
            }
        }

        @Override
        public List<SubtreeSum> compute() {
            require(!computed && segment < segments(), "compute");
            if (stepsThrough[segment] != number) {
                throw new IllegalStateException("segment %d of step %d after %d steps: a step has overtaken"
                        .formatted(segment, number, stepsThrough[segment]));
            }
            stepsThrough[segment]++;
            computed = true;
            long[][] sums = segment % 2 == 0 ? attention(segment / 2) : feedForward();
            own = new ArrayList<>();
            for (SumTree.Node node : SumTree.maximalNodes(model.groups(), rank.fromGroup(), rank.toGroup())) {
                own.add(new SubtreeSum(node.from(), node.to(), contributions(sums, node)));
            }
            return rank.toGroup() - rank.fromGroup() == model.groups() ? List.of() : List.copyOf(own);
        }

        private long[][] attention(int layer) {
            int owned = rank.toGroup() - rank.fromGroup();
            long[][] sums = new long[owned][batch.tokens()];
            for (int t = 0; t < batch.tokens(); t++) {
                for (int g = 0; g < owned; g++) {
                    keys[layer][g][slot(t, batch.position(t))] =
                            key(t, stage.fromLayer() + layer, rank.fromGroup() + g);
                }
            }
            for (int t = 0; t < batch.tokens(); t++) {
                for (int g = 0; g < owned; g++) {
                    for (int p = 0; p <= batch.position(t); p++) {
                        int key = keys[layer][g][slot(t, p)];
                        if (key == NOT_WRITTEN) {
                            throw new IllegalStateException("nobody has written the key of position " + p);
                        }
                        sums[g][t] = (sums[g][t] + (long) key * (p + 1)) % CountingModel.PRIME;
                    }
                }
            }
            return sums;
        }

        private int key(int token, int layer, int group) {
            if (batch.id(token) == CountingModel.OVERFLOWING_TOKEN && layer == 0 && group == model.groups() - 1) {
                failed.set(token);
            }
            long sum = layer * 17L + group * 5L;
            for (int c = 0; c < model.hidden(); c++) {
                sum += (long) state[token][c] * (c + 1 + group);
            }
            return (int) (sum % CountingModel.PRIME);
        }

        private int slot(int token, int position) {
            return batch.block(batch.sequence(token), position, blockSize) * blockSize + position % blockSize;
        }

        private long[][] feedForward() {
            int owned = rank.toGroup() - rank.fromGroup();
            long[][] sums = new long[owned][batch.tokens()];
            for (int g = 0; g < owned; g++) {
                for (int t = 0; t < batch.tokens(); t++) {
                    for (int c = 0; c < model.hidden(); c++) {
                        sums[g][t] += (long) state[t][c] * (c + 2 + rank.fromGroup() + g);
                    }
                }
            }
            return sums;
        }

        private Floats contributions(long[][] sums, SumTree.Node node) {
            float[] values = new float[batch.tokens() * model.hidden()];
            for (int group = node.from(); group < node.to(); group++) {
                for (int t = 0; t < batch.tokens(); t++) {
                    for (int c = 0; c < model.hidden(); c++) {
                        values[t * model.hidden() + c] +=
                                CountingModel.contribution(sums[group - rank.fromGroup()][t], c, group);
                    }
                }
            }
            failed.stream().forEach(t -> Arrays.fill(values, t * model.hidden(), (t + 1) * model.hidden(), Float.NaN));
            return new Floats(batch.tokens(), model.hidden(), values);
        }

        @Override
        public void finish(List<SubtreeSum> peers) {
            require(computed, "finish");
            List<SubtreeSum> all = new ArrayList<>(own);
            all.addAll(peers);
            BitSet covered = new BitSet();
            for (SubtreeSum sum : all) {
                for (int g = sum.from(); g < sum.to(); g++) {
                    require(!covered.get(g), "group " + g + " twice");
                    covered.set(g);
                }
            }
            require(covered.cardinality() == model.groups(), "groups " + covered);
            for (int t = 0; t < batch.tokens(); t++) {
                for (int c = 0; c < model.hidden(); c++) {
                    float total = 0;
                    for (SubtreeSum sum : all) {
                        total += sum.values().floats().get(t, c);
                    }
                    if (!Float.isFinite(total)) {
                        failed.set(t);
                    }
                    state[t][c] = (int) ((state[t][c] * 3L + (long) total) % CountingModel.PRIME);
                }
            }
            segment++;
            computed = false;
        }

        private void require(boolean condition, String what) {
            if (!condition) {
                throw new IllegalStateException(
                        "segment %d of step %d, computed=%s: %s".formatted(segment, number, computed, what));
            }
        }

        @Override
        public Floats hidden() {
            require(segment == segments(), "hidden");
            float[] values = new float[batch.tokens() * model.hidden()];
            for (int i = 0; i < values.length; i++) {
                values[i] = state[i / model.hidden()][i % model.hidden()];
            }
            return new Floats(batch.tokens(), model.hidden(), values);
        }

        @Override
        public Floats logits(int[] rows) {
            require(segment == segments() && last, "logits");
            float[] values = new float[rows.length * vocabularyRows()];
            for (int i = 0; i < values.length; i++) {
                values[i] = model.logit(state[rows[i / vocabularyRows()]], firstVocabularyRow() + i % vocabularyRows());
            }
            return new Floats(rows.length, vocabularyRows(), values);
        }

        @Override
        public Floats finalHidden(int[] rows) {
            require(segment == segments() && last, "finalHidden");
            float[] values = new float[rows.length * model.hidden()];
            for (int i = 0; i < values.length; i++) {
                values[i] = state[rows[i / model.hidden()]][i % model.hidden()] + 1;
            }
            return new Floats(rows.length, model.hidden(), values);
        }

        @Override
        public BitSet failedTokens() {
            return (BitSet) failed.clone();
        }

        @Override
        public void close() {
            openSteps--;
        }
    }
}
