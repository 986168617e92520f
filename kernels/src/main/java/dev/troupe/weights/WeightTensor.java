package dev.troupe.weights;

import dev.troupe.tensor.DType;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One line of a checkpoint's tensor table.
 *
 * @param name as the checkpoint calls it, for example {@code model.layers.0.self_attn.q_proj.weight}
 * @param typeName type as the file spells it, for example {@code BF16}
 * @param type the type to compute with, or null if no kernel can: such a tensor may lie in a file but not be used
 * @param shape sizes, outermost first; empty for a scalar
 * @param byteSize bytes of all elements
 * @param file name of the file that holds it
 */
public record WeightTensor(
        String name, String typeName, @Nullable DType type, List<Long> shape, long byteSize, String file) {
    public WeightTensor {
        shape = List.copyOf(shape);
    }

    /** Rows as a matrix: the first size; a vector or a scalar is one row. */
    public long rows() {
        return shape.size() < 2 ? 1 : shape.getFirst();
    }

    /** Bytes of one row; 0 if there are no rows. */
    public long rowBytes() {
        return rows() == 0 ? 0 : byteSize / rows();
    }

    /** Elements in all. */
    public long elements() {
        return shape.stream().reduce(1L, Math::multiplyExact);
    }
}
