package dev.troupe.model.decoder;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One rank's weights of one layer; h = hidden size, d = head dimension, q and k = its query and KV heads, f = its
 * feed-forward columns. Vectors are f32.
 *
 * @param inputNorm {@code [1, h]}
 * @param qkv {@code [(q + 2k) · d, h]}: queries, keys, values
 * @param qkvBias {@code [1, (q + 2k) · d]} or null
 * @param queryNorm {@code [1, d]} or null
 * @param keyNorm {@code [1, d]} or null
 * @param attentionOut {@code [h, q · d]} in chunks
 * @param attentionOutBias {@code [1, h]} or null
 * @param postNorm {@code [1, h]}
 * @param gateUp {@code [2f, h]}: gate, up
 * @param gateUpBias {@code [1, 2f]} or null
 * @param down {@code [h, f]} in chunks
 * @param downBias {@code [1, h]} or null
 */
record LayerWeights(
        Tensor inputNorm,
        StackedMatrix qkv,
        @Nullable Tensor qkvBias,
        @Nullable Tensor queryNorm,
        @Nullable Tensor keyNorm,
        ChunkedMatrix attentionOut,
        @Nullable Tensor attentionOutBias,
        Tensor postNorm,
        StackedMatrix gateUp,
        @Nullable Tensor gateUpBias,
        ChunkedMatrix down,
        @Nullable Tensor downBias) {

    /** Bytes that one token reads. */
    long byteSize() {
        return qkv.byteSize() + attentionOut.byteSize() + gateUp.byteSize() + down.byteSize();
    }
}
