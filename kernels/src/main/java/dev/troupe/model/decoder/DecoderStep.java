package dev.troupe.model.decoder;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.SumTree;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.model.ModelConfig;
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
        if (hidden != null) {
            kernels.memory().write(state.residual(), hidden);
        } else {
            kernels.embed(Objects.requireNonNull(shard.weights().embedding()), batch, state.residual());
        }
    }

    @Override
    public List<SubtreeSum> compute() {
        require(!computed && segment < shard.segments(), "compute");
        LayerWeights layer = shard.weights().layers().get(segment / 2);
        if (segment % 2 == 0) {
            attention(layer, segment / 2);
        } else {
            feedForward(layer);
        }
        computed = true;
        return shard.ownsAllGroups() ? List.of() : messages();
    }

    private void attention(LayerWeights layer, int index) {
        Workspace work = shard.workspace();
        Tensor qkv = work.qkv();
        int headDim = config.headDim();
        int kvHeads = shard.slice().groups();
        int heads = kvHeads * config.headsPerGroup();
        kernels.rmsNorm(state.residual(), layer.inputNorm(), config.rmsNormEps(), tokens, work.normed());
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

    private void feedForward(LayerWeights layer) {
        Workspace work = shard.workspace();
        kernels.rmsNorm(state.residual(), layer.postNorm(), config.rmsNormEps(), tokens, work.normed());
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
        LayerWeights layer = shard.weights().layers().get(segment / 2);
        Tensor sum = shard.treeSum()
                .sum(state.sums(), peers, tokens, shard.workspace().scratch());
        Tensor bias = segment % 2 == 0 ? layer.attentionOutBias() : layer.downBias();
        if (bias != null) {
            kernels.addBias(sum, bias, tokens);
        }
        kernels.add(state.residual(), sum, tokens);
        computed = false;
        segment++;
        if (segment == shard.segments()) {
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
            Tensor logits = shard.workspace().logits();
            kernels.matmul(head, null, normed(rows, from, count), count, logits);
            TokenFlags bad = shard.workspace().failedLogits();
            bad.clear();
            kernels.markNonFinite(logits, count, bad);
            read(logits, count, values, from);
            BitSet nonFinite = bad.marked();
            for (int i = nonFinite.nextSetBit(0); i >= 0; i = nonFinite.nextSetBit(i + 1)) {
                failed.mark(rows[from + i]);
            }
        }
        return new Floats(rows.length, width, values);
    }

    @Override
    public Floats finalHidden(int[] rows) {
        require(segment == shard.segments() && shard.slice().last(), "finalHidden");
        int width = config.hiddenSize();
        float[] values = new float[Math.multiplyExact(rows.length, width)];
        for (int from = 0; from < rows.length; from += Workspace.LOGIT_ROWS) {
            int count = Math.min(Workspace.LOGIT_ROWS, rows.length - from);
            read(normed(rows, from, count), count, values, from);
        }
        return new Floats(rows.length, width, values);
    }

    /** Copies the first {@code count} rows of a tensor to rows {@code first} and on of {@code values}. */
    private void read(Tensor tensor, int count, float[] values, int first) {
        long bytes = 4L * tensor.columns();
        kernels.memory().read(tensor.memory(), MemorySegment.ofArray(values).asSlice(first * bytes, count * bytes));
    }

    /** The final norm of the states of {@code rows[from]} and on, {@code [count, hidden]}. */
    private Tensor normed(int[] rows, int from, int count) {
        Workspace work = shard.workspace();
        for (int i = from; i < from + count; i++) {
            Objects.checkIndex(rows[i], tokens);
        }
        kernels.gatherRows(state.residual(), Arrays.copyOfRange(rows, from, from + count), work.chosen());
        Tensor norm = Objects.requireNonNull(shard.weights().finalNorm());
        kernels.rmsNorm(work.chosen(), norm, config.rmsNormEps(), count, work.chosen());
        return work.chosen();
    }

    @Override
    public BitSet failedTokens() {
        return failed.marked();
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
