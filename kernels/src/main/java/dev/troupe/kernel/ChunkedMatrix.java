package dev.troupe.kernel;

import java.util.List;

/**
 * A rank's share of a row-parallel matrix: one {@link PackedMatrix} for every canonical chunk of its KV groups, and the
 * tree nodes their sums make (NUMERICS rule 3).
 *
 * @param groups KV groups of the whole model, G
 * @param subChunks chunks of a group, U
 * @param fromGroup first group of this rank
 * @param chunks {@code (toGroup − fromGroup) · U} matrices, ascending; all have the same rows
 */
public record ChunkedMatrix(int groups, int subChunks, int fromGroup, List<PackedMatrix> chunks) {
    public ChunkedMatrix {
        chunks = List.copyOf(chunks);
        if (subChunks < 1 || chunks.isEmpty() || chunks.size() % subChunks != 0) {
            throw new IllegalArgumentException(
                    "%d chunks do not make whole groups of %d".formatted(chunks.size(), subChunks));
        }
        if (fromGroup < 0 || fromGroup + chunks.size() / subChunks > groups) {
            throw new IllegalArgumentException("groups from %d with %d chunks of %d exceed %d groups"
                    .formatted(fromGroup, chunks.size(), subChunks, groups));
        }
        int rows = chunks.getFirst().rows();
        if (chunks.stream().anyMatch(chunk -> chunk.rows() != rows)) {
            throw new IllegalArgumentException("the chunks differ in rows");
        }
    }

    public int rows() {
        return chunks.getFirst().rows();
    }

    /** One after this rank's last group. */
    public int toGroup() {
        return fromGroup + chunks.size() / subChunks;
    }

    /** The tree nodes whose sums this rank computes, ascending. */
    public List<SumTree.Node> nodes() {
        return SumTree.maximalNodes(groups, fromGroup, toGroup());
    }

    /** Bytes that one pass over the weights reads. */
    public long byteSize() {
        return chunks.stream().mapToLong(PackedMatrix::byteSize).sum();
    }
}
