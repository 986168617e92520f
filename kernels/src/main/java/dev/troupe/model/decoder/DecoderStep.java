package dev.troupe.model.decoder;

import dev.troupe.kernel.CandidateQuery;
import dev.troupe.kernel.FoundCandidates;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.RowSearch;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.SumTree;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.model.LogitSearch;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.SearchedLogits;
import dev.troupe.model.ShardStep;
import dev.troupe.model.SubtreeSum;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Rows;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** One open step of a {@link DecoderShard}: even segments are attention, odd ones feed-forward. */
final class DecoderStep implements ShardStep {
    private final DecoderShard shard;
    private final ModelConfig config;
    private final Kernels kernels;
    private final TokenBatch batch;
    private final int tokens;
    private final Workspace.StepState state;
    private final TokenFlags failed;
    private final float attentionScale;

    /** Whether what lies between two waits is given to the kernels as one. */
    private final boolean repeated;

    /** Tokens that the device marked in all segments; null until somebody asks behind the last. */
    private @Nullable BitSet failedStates;

    /** Tokens whose logits are not finite, which the host knows as soon as it has them. */
    private final BitSet failedLogits = new BitSet();

    private int segment;
    private boolean computed;
    private boolean closed;

    DecoderStep(DecoderShard shard, TokenBatch batch, @Nullable Rows hidden, Workspace.StepState state) {
        this.shard = shard;
        this.config = shard.config();
        this.kernels = shard.kernels();
        this.batch = batch;
        this.tokens = batch.tokens();
        this.state = state;
        this.failed = state.failed();
        failed.clear();
        this.attentionScale = (float) (1 / StrictMath.sqrt(config.headDim()));
        this.repeated = kernels.repeats(tokens);
        if (hidden != null) {
            kernels.memory().write(state.residual(), hidden);
        } else {
            kernels.embed(Objects.requireNonNull(shard.weights().embedding()), batch, state.residual());
        }
    }

    /**
     * Names segments for {@link Kernels#repeat}: everything else that they use stays as long as the shard.
     *
     * @param from the first one
     * @param to behind the last one
     */
    private record Segments(Workspace workspace, Workspace.StepState state, int from, int to) {}

    @Override
    public List<SubtreeSum> compute() {
        require(!computed && segment < shard.segments(), "compute");
        if (!repeated) {
            computeSegment();
        } else if (!shard.ownsAllGroups()) {
            repeat(segment, segment + 1, this::computeSegment);
        } else if (segment == 0) {
            repeat(0, shard.segments(), this::computeAll);
        }
        computed = true;
        return shard.ownsAllGroups() ? List.of() : messages();
    }

    private void repeat(int from, int to, Runnable work) {
        kernels.repeat(new Segments(shard.workspace(), state, from, to), tokens, batch, work);
    }

    private void computeSegment() {
        LayerWeights layer = shard.weights().layers().get(segment / 2);
        kernels.rmsNorm(
                state.residual(),
                norm(segment),
                config.rmsNormEps(),
                tokens,
                shard.workspace().normed());
        if (segment % 2 == 0) {
            attention(layer, segment / 2);
        } else {
            feedForward(layer);
        }
    }

    /** All segments with what {@link #finish} would do behind each, on a rank that waits for nobody. */
    private void computeAll() {
        Tensor residual = state.residual();
        Tensor sum = state.sums()[0];
        Tensor normed = shard.workspace().normed();
        for (int s = 0; s < shard.segments(); s++) {
            LayerWeights layer = shard.weights().layers().get(s / 2);
            if (s == 0) {
                kernels.rmsNorm(residual, norm(s), config.rmsNormEps(), tokens, normed);
            } else {
                kernels.addRmsNorm(residual, sum, norm(s), config.rmsNormEps(), tokens, normed);
            }
            if (s % 2 == 0) {
                attention(layer, s / 2);
            } else {
                feedForward(layer);
            }
            addBias(s, sum);
        }
        kernels.add(residual, sum, tokens);
        kernels.markNonFinite(residual, tokens, failed);
    }

    private Tensor norm(int ofSegment) {
        LayerWeights layer = shard.weights().layers().get(ofSegment / 2);
        return ofSegment % 2 == 0 ? layer.inputNorm() : layer.postNorm();
    }

    private void addBias(int ofSegment, Tensor sum) {
        LayerWeights layer = shard.weights().layers().get(ofSegment / 2);
        Tensor bias = ofSegment % 2 == 0 ? layer.attentionOutBias() : layer.downBias();
        if (bias != null) {
            kernels.addBias(sum, bias, tokens);
        }
    }

    /** From the normed state to the rank's sums. */
    private void attention(LayerWeights layer, int index) {
        Workspace work = shard.workspace();
        Tensor qkv = work.qkv();
        int headDim = config.headDim();
        int kvHeads = shard.slice().groups();
        int heads = kvHeads * config.headsPerGroup();
        kernels.matmul(layer.qkv(), layer.qkvBias(), work.normed(), tokens, qkv);
        if (layer.queryNorm() != null) {
            kernels.rmsNormHeads(qkv, 0, heads, layer.queryNorm(), config.rmsNormEps(), tokens);
        }
        if (layer.keyNorm() != null) {
            kernels.rmsNormHeads(qkv, heads * headDim, kvHeads, layer.keyNorm(), config.rmsNormEps(), tokens);
        }
        kernels.rope(qkv, 0, heads + kvHeads, headDim, shard.rope(), batch);
        kernels.storeKv(shard.store(), index, qkv, batch, failed);
        int window = config.window(shard.slice().fromLayer() + index);
        kernels.attention(shard.store(), index, qkv, attentionScale, window, batch, work.attended());
        markTransient(layer.attentionOut().chunks().getFirst(), work.attended());
        kernels.matmulChunks(layer.attentionOut(), work.attended(), tokens, state.sums());
    }

    /** From the normed state to the rank's sums. */
    private void feedForward(LayerWeights layer) {
        Workspace work = shard.workspace();
        kernels.matmul(layer.gateUp(), layer.gateUpBias(), work.normed(), tokens, work.gateUp());
        kernels.swiglu(work.gateUp(), tokens, work.activated());
        markTransient(layer.down().chunks().getFirst(), work.activated());
        kernels.matmulChunks(layer.down(), work.activated(), tokens, state.sums());
    }

    /**
     * Looks at the input of a product that rounds it: rounding may hide a value that is not finite. Elsewhere such a
     * value stays in the residual, which is looked at once, at the end.
     */
    private void markTransient(PackedMatrix weights, Tensor input) {
        if (weights.type().quantised()) {
            kernels.markNonFinite(input, tokens, failed);
        }
    }

    private List<SubtreeSum> messages() {
        List<SumTree.Node> nodes = shard.nodes();
        List<SubtreeSum> messages = new ArrayList<>(nodes.size());
        for (int n = 0; n < nodes.size(); n++) {
            SumTree.Node node = nodes.get(n);
            Tensor sum = state.sums()[n];
            kernels.poisonRows(sum, tokens, failed);
            messages.add(new SubtreeSum(node.from(), node.to(), kernels.memory().publish(sum, tokens)));
        }
        return messages;
    }

    @Override
    public void finish(List<SubtreeSum> peers) {
        require(computed, "finish");
        shard.treeSum().requireComplete(peers, tokens, config.hiddenSize());
        if (!repeated || !shard.ownsAllGroups()) {
            addSum(peers);
        }
        computed = false;
        segment++;
    }

    private void addSum(List<SubtreeSum> peers) {
        Tensor sum = shard.treeSum()
                .sum(state.sums(), peers, tokens, shard.workspace().scratch());
        addBias(segment, sum);
        kernels.add(state.residual(), sum, tokens);
        if (segment == shard.segments() - 1) {
            kernels.markNonFinite(state.residual(), tokens, failed);
        }
    }

    @Override
    public Rows hidden() {
        require(segment == shard.segments(), "hidden");
        return kernels.memory().publish(state.residual(), tokens);
    }

    @Override
    public Floats logits(int[] rows) {
        require(segment == shard.segments() && shard.slice().last(), "logits");
        int width = shard.vocabularyRows();
        StackedMatrix head = shard.weights().head();
        float[] values = new float[Math.multiplyExact(rows.length, width)];
        for (int from = 0; head != null && from < rows.length; from += Workspace.LOGIT_ROWS) {
            int count = Math.min(Workspace.LOGIT_ROWS, rows.length - from);
            Workspace work = shard.workspace();
            gather(rows, from, count);
            if (kernels.repeats(count)) {
                kernels.repeat(work, count, null, () -> computeLogits(head, count));
            } else {
                computeLogits(head, count);
            }
            read(work.logits(), count, values, from);
            BitSet nonFinite = work.failedLogits().marked();
            for (int i = nonFinite.nextSetBit(0); i >= 0; i = nonFinite.nextSetBit(i + 1)) {
                failedLogits.set(rows[from + i]);
            }
        }
        return new Floats(rows.length, width, values);
    }

    /** Logits of the gathered states, and marks where they are not finite. */
    private void computeLogits(StackedMatrix head, int count) {
        Workspace work = shard.workspace();
        finalNorm(count);
        kernels.matmul(head, null, work.chosen(), count, work.logits());
        work.failedLogits().clear();
        kernels.markNonFinite(work.logits(), count, work.failedLogits());
    }

    @Override
    public @Nullable LogitSearch logitSearch() {
        RowSearch search = kernels.rowSearch();
        return search == null ? null : (rows, queries) -> search(search, rows, queries);
    }

    private List<SearchedLogits> search(RowSearch search, int[] rows, List<CandidateQuery> queries) {
        require(segment == shard.segments() && shard.slice().last(), "search");
        List<SearchedLogits> searched = new ArrayList<>(rows.length);
        for (int from = 0; from < rows.length; from += Workspace.LOGIT_ROWS) {
            int count = Math.min(Workspace.LOGIT_ROWS, rows.length - from);
            gather(rows, from, count);
            finalNorm(count);
            Tensor states = shard.workspace().chosen();
            List<CandidateQuery> some = queries.subList(from, from + count);
            List<FoundCandidates> found = candidates(search, states, some);
            boolean lacksSome = false;
            for (int i = 0; i < count; i++) {
                lacksSome |= some.get(i).mayLackSome(found.get(i));
            }
            Floats kept = kernels.memory().read(states, lacksSome ? count : 0);
            for (int i = 0; i < count; i++) {
                if (!found.get(i).finiteLogits()) {
                    failedLogits.set(rows[from + i]);
                }
                searched.add(new SearchedLogits(found.get(i), new LogitsAgain(shard, kept, i)));
            }
        }
        return searched;
    }

    private List<FoundCandidates> candidates(RowSearch search, Tensor states, List<CandidateQuery> queries) {
        StackedMatrix head = shard.weights().head();
        if (head == null) {
            return queries.stream().map(FoundCandidates::ofNothing).toList();
        }
        Tensor logits = shard.workspace().logits();
        kernels.matmul(head, null, states, queries.size(), logits);
        return search.candidates(logits, shard.firstVocabularyRow(), queries);
    }

    @Override
    public Floats finalHidden(int[] rows) {
        require(segment == shard.segments() && shard.slice().last(), "finalHidden");
        int width = config.hiddenSize();
        float[] values = new float[Math.multiplyExact(rows.length, width)];
        for (int from = 0; from < rows.length; from += Workspace.LOGIT_ROWS) {
            int count = Math.min(Workspace.LOGIT_ROWS, rows.length - from);
            gather(rows, from, count);
            finalNorm(count);
            read(shard.workspace().chosen(), count, values, from);
        }
        return new Floats(rows.length, width, values);
    }

    /** Copies the first {@code count} rows of a tensor to rows {@code first} and on of {@code values}. */
    private void read(Tensor tensor, int count, float[] values, int first) {
        long bytes = 4L * tensor.columns();
        kernels.memory().read(tensor.memory(), MemorySegment.ofArray(values).asSlice(first * bytes, count * bytes));
    }

    /** Copies the states of {@code rows[from]} and on to {@link Workspace#chosen}. */
    private void gather(int[] rows, int from, int count) {
        for (int i = from; i < from + count; i++) {
            Objects.checkIndex(rows[i], tokens);
        }
        int[] some = Arrays.copyOfRange(rows, from, from + count);
        kernels.gatherRows(state.residual(), some, shard.workspace().chosen());
    }

    /** Norms the gathered states in place. */
    private void finalNorm(int count) {
        Tensor chosen = shard.workspace().chosen();
        Tensor norm = Objects.requireNonNull(shard.weights().finalNorm());
        kernels.rmsNorm(chosen, norm, config.rmsNormEps(), count, chosen);
    }

    @Override
    public BitSet failedTokens() {
        BitSet all = (BitSet) failedStates().clone();
        all.or(failedLogits);
        return all;
    }

    /** Behind the last segment no kernel marks any more, so the device is waited for once. */
    private BitSet failedStates() {
        if (failedStates != null) {
            return failedStates;
        }
        BitSet marked = failed.marked();
        if (segment == shard.segments()) {
            failedStates = marked;
        }
        return marked;
    }

    private void require(boolean allowed, String call) {
        if (closed || !allowed) {
            throw new IllegalStateException("%s is out of turn: segment=%d of %d, computed=%b, closed=%b, last stage=%b"
                    .formatted(
                            call,
                            segment,
                            shard.segments(),
                            computed,
                            closed,
                            shard.slice().last()));
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            shard.release(state);
        }
    }
}
