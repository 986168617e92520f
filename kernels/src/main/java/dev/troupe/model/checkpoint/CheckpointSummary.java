package dev.troupe.model.checkpoint;

import dev.troupe.kvstore.KvType;
import dev.troupe.model.ModelConfig;
import dev.troupe.weights.WeightTensor;
import java.util.Collections;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a report tells about a checkpoint.
 *
 * @param config its shape
 * @param tensors its tensor table, ascending by name
 * @param parameters elements of all tensors
 * @param bytes bytes of all tensors
 * @param bytesByType the same by type
 */
public record CheckpointSummary(
        ModelConfig config,
        List<WeightTensor> tensors,
        long parameters,
        long bytes,
        SortedMap<String, Long> bytesByType) {

    public CheckpointSummary {
        tensors = List.copyOf(tensors);
        bytesByType = Collections.unmodifiableSortedMap(new TreeMap<>(bytesByType));
    }

    public static CheckpointSummary of(Checkpoint checkpoint) {
        long parameters = 0;
        long bytes = 0;
        SortedMap<String, Long> byType = new TreeMap<>();
        for (WeightTensor tensor : checkpoint.weights().tensors()) {
            parameters = Math.addExact(parameters, tensor.elements());
            bytes = Math.addExact(bytes, tensor.byteSize());
            byType.merge(tensor.typeName(), tensor.byteSize(), Math::addExact);
        }
        return new CheckpointSummary(
                checkpoint.config(), List.copyOf(checkpoint.weights().tensors()), parameters, bytes, byType);
    }

    /** Bytes of keys and values that one token takes over all layers and heads. */
    public long kvBytesPerToken(KvType type) {
        return 2L * config.layers() * config.kvHeads() * config.headDim() * type.bytes();
    }
}
