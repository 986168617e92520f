package dev.troupe.weights;

import dev.troupe.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Random blocks of block-quantised types: random codes and integer scales under a float scale that makes the values as large
 * as wanted, and an offset that puts their middle near zero.
 *
 * @param scaleAt byte of a block where its f16 scale is
 * @param deviation root mean square of the values for a scale of 1
 * @param offsetAt byte of a block where its f16 offset is; −1 if it has none
 * @param offset the offset over the scale
 */
record SyntheticBlocks(int scaleAt, double deviation, int offsetAt, double offset) {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Root mean square of mxfp4's elements. */
    private static final double MXFP4_DEVIATION = 5.85;

    private static SyntheticBlocks of(DType type) {
        return switch (type) {
            case Q4_0 -> new SyntheticBlocks(0, 4.64, -1, 0);
            case Q4_1 -> new SyntheticBlocks(0, 4.61, 2, -7.5);
            case Q5_0 -> new SyntheticBlocks(0, 9.25, -1, 0);
            case Q5_1 -> new SyntheticBlocks(0, 9.23, 2, -15.5);
            case Q2_K -> new SyntheticBlocks(80, 13.9, 82, 1.5);
            case Q3_K -> new SyntheticBlocks(108, 43.4, -1, 0);
            case Q4_K -> new SyntheticBlocks(0, 258, 2, 7.5);
            case Q5_K -> new SyntheticBlocks(0, 527, 2, 15.5);
            case Q6_K -> new SyntheticBlocks(208, 1367, -1, 0);
            case IQ4_NL -> new SyntheticBlocks(0, 67.4, -1, 0);
            case F32, BF16, F16, Q8_0, MXFP4 ->
                throw new IllegalArgumentException("%s is made in another way".formatted(type.label()));
        };
    }

    /**
     * Fills rows with whole blocks.
     *
     * @param key of the tensor
     * @param first index of the first block in the tensor
     * @param spread the values' root mean square becomes about {@code spread / √3}, as that of uniform ones is
     */
    static void fill(MemorySegment rows, DType type, long key, long first, float spread) {
        int bytes = type.blockBytes();
        int words = bytes / 8;
        byte[] rest = new byte[bytes % 8];
        long count = rows.byteSize() / bytes;
        for (long block = 0; block < count; block++) {
            long counter = (words + 2L) * (first + block);
            long at = bytes * block;
            for (int i = 0; i < words; i++) {
                rows.set(LONG, at + 8L * i, SyntheticWeights.random(key, counter + 2 + i));
            }
            long last = SyntheticWeights.random(key, counter + 1);
            for (int i = 0; i < rest.length; i++) {
                rows.set(ValueLayout.JAVA_BYTE, at + 8L * words + i, (byte) (last >> (8 * i)));
            }
            float unit = SyntheticWeights.unit(SyntheticWeights.random(key, counter));
            setScales(rows, at, type, spread / Math.sqrt(3), 1 + 0.25 * unit);
        }
    }

    private static void setScales(MemorySegment rows, long at, DType type, double size, double factor) {
        if (type == DType.MXFP4) {
            long exponent = Math.round(Math.log(size / MXFP4_DEVIATION) / Math.log(2));
            rows.set(ValueLayout.JAVA_BYTE, at, (byte) Math.clamp(128 + exponent, 0, 250));
            return;
        }
        SyntheticBlocks blocks = of(type);
        double scale = factor * size / blocks.deviation();
        rows.set(SHORT, at + blocks.scaleAt(), Float.floatToFloat16((float) scale));
        if (blocks.offsetAt() >= 0) {
            rows.set(SHORT, at + blocks.offsetAt(), Float.floatToFloat16((float) (scale * blocks.offset())));
        }
    }
}
