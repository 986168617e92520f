package dev.troupe.kernel;

import dev.troupe.tensor.DeviceMemory;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * A rank's share of a row-parallel matrix: one {@link PackedMatrix} for every canonical chunk of its KV groups, and the
 * tree nodes their sums make (NUMERICS rule 3). A stack machine evaluates it: push the product of the next chunk, then do
 * {@link #mergesAfter} additions of the upper two entries; after the last chunk of a node one entry is left, its sum.
 */
public final class ChunkedMatrix {
    private final int groups;
    private final int subChunks;
    private final int fromGroup;
    private final List<PackedMatrix> chunks;
    private final List<SumTree.Node> nodes;
    private final int[] merges;
    private final int[] ends;
    private final long byteSize;

    /**
     * @param groups KV groups of the whole model, G
     * @param subChunks chunks of a group, U
     * @param fromGroup first group of this rank
     * @param chunks {@code (toGroup − fromGroup) · U} matrices, ascending; all have the same rows
     */
    public ChunkedMatrix(int groups, int subChunks, int fromGroup, List<PackedMatrix> chunks) {
        this.groups = groups;
        this.subChunks = subChunks;
        this.fromGroup = fromGroup;
        this.chunks = List.copyOf(chunks);
        if (subChunks < 1 || chunks.isEmpty() || chunks.size() % subChunks != 0) {
            throw new IllegalArgumentException(
                    "%d chunks do not make whole groups of %d".formatted(chunks.size(), subChunks));
        }
        if (fromGroup < 0 || toGroup() > groups) {
            throw new IllegalArgumentException("groups from %d with %d chunks of %d exceed %d groups"
                    .formatted(fromGroup, chunks.size(), subChunks, groups));
        }
        PackedMatrix first = this.chunks.getFirst();
        if (this.chunks.stream().anyMatch(chunk -> chunk.rows() != first.rows() || chunk.type() != first.type())) {
            throw new IllegalArgumentException("the chunks differ in rows or type");
        }
        this.nodes = SumTree.maximalNodes(groups, fromGroup, toGroup());
        this.merges = new int[this.chunks.size()];
        this.ends = new int[this.chunks.size()];
        this.byteSize = chunks.stream().mapToLong(PackedMatrix::byteSize).sum();
        countMerges();
    }

    private void countMerges() {
        for (int group = 0; group < toGroup() - fromGroup; group++) {
            countMerges(0, subChunks, group * subChunks, 1);
        }
        for (int n = 0; n < nodes.size(); n++) {
            SumTree.Node node = nodes.get(n);
            countMerges(node.from(), node.to(), -fromGroup * subChunks, subChunks);
            ends[(node.to() - fromGroup) * subChunks - 1] = n + 1;
        }
    }

    /** One merge after the last chunk of every inner node below {@code [from, to)}, whose unit is {@code width} chunks. */
    private void countMerges(int from, int to, int base, int width) {
        if (to - from > 1) {
            int middle = SumTree.split(from, to);
            countMerges(from, middle, base, width);
            countMerges(middle, to, base, width);
            merges[base + to * width - 1]++;
        }
    }

    /** The same in another memory, see {@link PackedMatrix#placed}. */
    public ChunkedMatrix placed(DeviceMemory device, Arena arena) {
        return new ChunkedMatrix(
                groups,
                subChunks,
                fromGroup,
                chunks.stream().map(chunk -> chunk.placed(device, arena)).toList());
    }

    /** KV groups of the whole model, G. */
    public int groups() {
        return groups;
    }

    /** Chunks of a group, U. */
    public int subChunks() {
        return subChunks;
    }

    /** First group of this rank. */
    public int fromGroup() {
        return fromGroup;
    }

    /** One after this rank's last group. */
    public int toGroup() {
        return fromGroup + chunks.size() / subChunks;
    }

    /** The matrices, ascending. */
    public List<PackedMatrix> chunks() {
        return chunks;
    }

    public int rows() {
        return chunks.getFirst().rows();
    }

    /** The tree nodes whose sums this rank computes, ascending. */
    public List<SumTree.Node> nodes() {
        return nodes;
    }

    /** How many times the upper two stack entries are added after a chunk's product was pushed. */
    public int mergesAfter(int chunk) {
        return merges[chunk];
    }

    /** Index of the node that ends with a chunk, or −1 if none does. */
    public int nodeEndingAt(int chunk) {
        return ends[chunk] - 1;
    }

    /** Bytes that one pass over the weights reads. */
    public long byteSize() {
        return byteSize;
    }
}
