package dev.troupe.tensor;

/**
 * Storage type of a tensor's elements. Block types store {@link #blockSize()} neighbouring columns together.
 *
 * <p>Values: f32 IEEE 754 binary32; bf16 the upper half of a binary32; f16 IEEE 754 binary16; q8_0 a block of 32: one
 * f16 scale d, then 32 signed bytes q, an element is {@code d * q} (ggml's {@code block_q8_0}).
 */
public enum DType {
    F32("f32", 1, 4),
    BF16("bf16", 1, 2),
    F16("f16", 1, 2),
    Q8_0("q8_0", 32, 34);

    private final String label;
    private final int blockSize;
    private final int blockBytes;

    DType(String label, int blockSize, int blockBytes) {
        this.label = label;
        this.blockSize = blockSize;
        this.blockBytes = blockBytes;
    }

    /** Lower-case name as users write it, for example {@code bf16}. */
    public String label() {
        return label;
    }

    /** Elements in one block; 1 for the float types. */
    public int blockSize() {
        return blockSize;
    }

    /** Bytes of one block. */
    public int blockBytes() {
        return blockBytes;
    }

    /** Whether the products with this type round their activations per block (NUMERICS rule 2). */
    public boolean quantised() {
        return blockSize > 1;
    }

    /**
     * Bytes of a row of {@code columns} elements.
     *
     * @throws IllegalArgumentException if the columns do not fill whole blocks
     * @throws ArithmeticException if the size does not fit a long
     */
    public long rowBytes(long columns) {
        if (columns < 0 || columns % blockSize != 0) {
            throw new IllegalArgumentException("columns=%d is not a multiple of the %d elements in a block of %s"
                    .formatted(columns, blockSize, label));
        }
        return Math.multiplyExact(columns / blockSize, (long) blockBytes);
    }
}
