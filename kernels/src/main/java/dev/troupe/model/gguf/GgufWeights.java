package dev.troupe.model.gguf;

import dev.troupe.model.DecoderTensors;
import dev.troupe.model.ModelConfig;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightSource;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufParts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The tensors of a GGUF model as a checkpoint has them: under the names of {@link DecoderTensors}, and the rows of q and
 * k in the order of a rotation of halves. Rows in the file's own order are views of the mapped file.
 */
final class GgufWeights implements WeightSource {
    private final GgufParts parts;
    private final @Nullable RotationOrder order;
    private final SortedMap<String, WeightTensor> tensors = new TreeMap<>();

    /** By the checkpoint's names, those of the file. */
    private final Map<String, String> storedNames = new HashMap<>();

    /**
     * @param order in which the file has the rows of q and k, or null if they are in the order of halves
     * @throws WeightFormatException if the file has a tensor that the model does not use
     */
    GgufWeights(GgufParts parts, ModelConfig config, @Nullable RotationOrder order) throws WeightFormatException {
        this.parts = parts;
        this.order = order;
        Set<String> expected = new HashSet<>();
        DecoderTensors.all(config).forEach(tensor -> expected.add(tensor.name()));
        for (WeightTensor stored : parts.tensors()) {
            String name = nameOf(stored, expected, config);
            storedNames.put(name, stored.name());
            tensors.put(
                    name,
                    new WeightTensor(
                            name, stored.typeName(), stored.type(), stored.shape(), stored.byteSize(), stored.file()));
        }
    }

    private static String nameOf(WeightTensor stored, Set<String> expected, ModelConfig config)
            throws WeightFormatException {
        if (stored.name().equals(GgufRopeReader.FACTORS)) {
            return stored.name();
        }
        String name = GgufTensorNames.inCheckpoint(stored.name());
        if (name == null || !expected.contains(name)) {
            throw new WeightFormatException("%s: tensor '%s' is no part of a %s model of %d layers as it is supported"
                    .formatted(stored.file(), stored.name(), config.modelType(), config.layers()));
        }
        return name;
    }

    @Override
    public String description() {
        return parts.path().toString();
    }

    @Override
    public Collection<WeightTensor> tensors() {
        return Collections.unmodifiableCollection(tensors.values());
    }

    @Override
    public @Nullable WeightTensor find(String name) {
        return tensors.get(name);
    }

    /** Says what the file would call the missing tensor. */
    @Override
    public WeightTensor require(String name) throws WeightFormatException {
        WeightTensor tensor = find(name);
        if (tensor == null) {
            throw new WeightFormatException("%s has no tensor '%s' among its %d; the model needs it"
                    .formatted(description(), GgufTensorNames.inFile(name), tensors.size()));
        }
        return tensor;
    }

    @Override
    public MemorySegment rows(WeightTensor tensor, long fromRow, long toRow, Arena arena) {
        Objects.checkFromToIndex(fromRow, toRow, tensor.rows());
        String stored = storedNames.get(tensor.name());
        if (stored == null || !tensor.equals(tensors.get(tensor.name()))) {
            throw new IllegalArgumentException("%s is no tensor of %s".formatted(tensor, description()));
        }
        MemorySegment bytes = parts.bytes(stored);
        if (order == null || !GgufTensorNames.isRotated(stored)) {
            return bytes.asSlice(fromRow * tensor.rowBytes(), (toRow - fromRow) * tensor.rowBytes());
        }
        if (tensor.shape().size() > 1) {
            return order.halves(bytes, tensor.rowBytes(), fromRow, toRow, arena);
        }
        // A bias is one row, whose elements are the rows of its matrix.
        long elements = toRow == fromRow ? 0 : tensor.elements();
        return order.halves(bytes, tensor.byteSize() / tensor.elements(), 0, elements, arena);
    }

    @Override
    public void close() {}
}
