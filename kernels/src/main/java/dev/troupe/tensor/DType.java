package dev.troupe.tensor;

/**
 * Storage type of a tensor's elements. Block types store {@link #blockSize()} neighbouring columns together, least
 * significant byte first; their byte layouts are ggml's (ggml-common.h, {@code block_q4_0} and so on).
 *
 * <p>In the formulas d, m and dmin are f16, q is the element's integer, sc and mn are integer scales of a sub-block, and a
 * product or sum is of f32. Every product below is exact (its factors have at most 24 significant bits together), so only
 * the sum of the types with an offset rounds, once.
 */
public enum DType {
    /** IEEE 754 binary32. */
    F32("f32", 1, 4),

    /** The upper half of a binary32. */
    BF16("bf16", 1, 2),

    /** IEEE 754 binary16. */
    F16("f16", 1, 2),

    /** {@code d · q}: d, then 32 signed bytes q. */
    Q8_0("q8_0", 32, 34),

    /**
     * {@code d · (q − 8)}: d, then 16 bytes whose low halves are q of columns 0 to 15 and whose high halves those of 16 to
     * 31.
     */
    Q4_0("q4_0", 32, 18),

    /** {@code d · q + m}: d, m, then q as in q4_0. */
    Q4_1("q4_1", 32, 20),

    /** {@code d · (q − 16)}: d, 4 bytes whose bit k is bit 4 of column k's q, then the lower four bits as in q4_0. */
    Q5_0("q5_0", 32, 22),

    /** {@code d · q + m}: d, m, then q as in q5_0. */
    Q5_1("q5_1", 32, 24),

    /**
     * {@code (d · sc) · q − dmin · mn}, sub-blocks of 16: 16 bytes of sc (low half) and mn (high half), 64 bytes of two-bit
     * q, d, dmin. Columns 128h + 32j + i (i below 32) have q in bits 2j of byte 32h + i.
     */
    Q2_K("q2_k", 256, 84),

    /**
     * {@code (d · (sc − 32)) · (q − 4)}, sub-blocks of 16: 32 bytes of bit 2 of q (bit b of byte i: column 32b + i), 64 bytes
     * of its two lower bits as in q2_k, 12 bytes of six-bit sc, d. The low four bits of sc s lie in byte s mod 8 (low half for
     * s below 8), the two high ones in byte 8 + s mod 4 from bit 2 · (s / 4).
     */
    Q3_K("q3_k", 256, 110),

    /**
     * {@code (d · sc) · q − dmin · mn}, sub-blocks of 32: d, dmin, 12 bytes of six-bit sc and mn, 128 bytes of q. Columns
     * 64h + 32j + i have q in half j of byte 32h + i. Sub-blocks 0 to 3 have sc in the low six bits of bytes 0 to 3 and mn in
     * those of bytes 4 to 7; sub-block s from 4 on has the low four bits of sc and mn in the halves of byte 4 + s and the two
     * high ones on top of bytes s − 4 and s.
     */
    Q4_K("q4_k", 256, 144),

    /** As q4_k with 32 bytes of bit 4 of q before the lower four bits: bit b of byte i belongs to column 32b + i. */
    Q5_K("q5_k", 256, 176),

    /**
     * {@code (d · sc) · (q − 32)}, sub-blocks of 16: 128 bytes of the lower four bits of q, 64 bytes of its two higher bits, 16
     * signed bytes sc, d. Columns 128h + 32j + i have the lower bits in half j / 2 of byte 64h + 32 · (j mod 2) + i, the higher
     * ones in bits 2j of byte 32h + i.
     */
    Q6_K("q6_k", 256, 210),

    /** {@code d · t[q]} with ggml's table {@code kvalues_iq4nl} of 16 signed bytes: laid out as q4_0. */
    IQ4_NL("iq4_nl", 32, 18),

    /**
     * {@code 2^(e − 128) · t[q]}, t = 0, 1, 2, 3, 4, 6, 8, 12 and their negatives: a byte e, then 16 bytes as in q4_0 (Open
     * Compute Project, Microscaling Formats 1.0, with doubled elements; e = 255 is not a number).
     */
    MXFP4("mxfp4", 32, 17);

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
