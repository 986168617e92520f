package dev.troupe.kernel;

import java.util.List;

/**
 * Matrices below each other that are multiplied by the same activations: {@code [rows, columns]} together. Files may give
 * the query, key and value matrices of a layer different types, so each part has its own.
 *
 * @param parts from the first row down; all have the same columns
 */
public record StackedMatrix(List<PackedMatrix> parts) {
    /** @throws IllegalArgumentException if there is no part, or the parts differ in columns */
    public StackedMatrix {
        parts = List.copyOf(parts);
        if (parts.isEmpty()) {
            throw new IllegalArgumentException("a stacked matrix has no parts, expected at least one");
        }
        PackedMatrix first = parts.getFirst();
        for (PackedMatrix part : parts) {
            if (part.columns() != first.columns() || part.firstColumn() != first.firstColumn()) {
                throw new IllegalArgumentException("a part has columns %d to %d, the first one has %d to %d"
                        .formatted(
                                part.firstColumn(),
                                part.firstColumn() + part.columns(),
                                first.firstColumn(),
                                first.firstColumn() + first.columns()));
            }
        }
    }

    public static StackedMatrix of(PackedMatrix matrix) {
        return new StackedMatrix(List.of(matrix));
    }

    /** Rows of all parts. A loop with an index, because every product asks and a stream allocates. */
    public int rows() {
        int rows = 0;
        for (int i = 0; i < parts.size(); i++) {
            rows += parts.get(i).rows();
        }
        return rows;
    }

    /** Bytes that one pass over the weights reads. */
    public long byteSize() {
        return parts.stream().mapToLong(PackedMatrix::byteSize).sum();
    }
}
