package dev.troupe.kernel.quantised;

import dev.troupe.tensor.DType;

/**
 * Thirty-two neighbouring columns of one row of a block-quantised matrix, in the parts that NUMERICS rule 2 names: column k
 * is {@code d · scale(k / 16) · weight(k)}, plus {@code b · min(k / 16)} for a type with an offset. Meant to be filled again
 * and again.
 */
public final class WeightBlock {
    private static final int COLUMNS = 32;

    /** Elements of mxfp4, doubled, by code. */
    private static final byte[] MXFP4 = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

    final PackedFormat format;

    /** As packed: the integer weight plus the format's zero, or an index into mxfp4's table. */
    final int[] codes = new int[COLUMNS];

    final int[] scales = {1, 1};
    final int[] mins = {1, 1};

    /** Bits of d: f16, or bf16 for mxfp4. */
    short d;

    /** Bits of b as f16. */
    short b;

    public WeightBlock(DType type) {
        this.format = PackedFormat.of(type);
    }

    /** Integer weight of a column. */
    public int weight(int column) {
        int code = codes[column];
        return format == PackedFormat.MXFP4 ? MXFP4[code] : code - format.zero();
    }

    /** Integer scale of columns 0 to 15 (0) or 16 to 31 (1). */
    public int scale(int half) {
        return scales[half];
    }

    /** Integer scale of the offset for columns 0 to 15 (0) or 16 to 31 (1); 1 if the format has none. */
    public int min(int half) {
        return mins[half];
    }

    /** The float scale. */
    public float d() {
        return format == PackedFormat.MXFP4 ? Float.intBitsToFloat(d << 16) : Float.float16ToFloat(d);
    }

    /** The float scale of the offset; 0 if the format has none. */
    public float b() {
        return Float.float16ToFloat(b);
    }

    /** Whether d and b are numbers that a product can use. */
    public boolean finite() {
        return Float.isFinite(d()) && Float.isFinite(b());
    }

    /** Whether the type has an offset. */
    public boolean offset() {
        return format.offset();
    }

    /** The value of a column, rounded as the format defines it: all products are exact, the sum rounds once. */
    public float value(int column) {
        int half = column / 16;
        float scaled = d() * scales[half] * weight(column);
        return format.offset() ? scaled + b() * mins[half] : scaled;
    }
}
