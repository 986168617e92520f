package dev.troupe.kernel.quantised;

import dev.troupe.tensor.DType;
import java.util.EnumMap;
import java.util.Map;

/**
 * Packed layout of a block-quantised type: 32 rows interleaved, cut into <i>pieces</i> of one weight block of 32 columns
 * each. For every 32 rows a piece consists of, in this order,
 *
 * <ul>
 *   <li>its <i>scales</i>, 64 bytes: the rows' d as f16 (mxfp4: 2^(e − 128) as bf16), int i has row i in its low and row
 *       i + 16 in its high half; for types with an offset 64 bytes of b more, which is m or −dmin. The types with blocks of
 *       256 columns store them once before the pieces of a block, a <i>run</i>;
 *   <li>integer scales, 32 signed bytes for each sub-block, byte r is row r; then the offset's integer scales likewise;
 *   <li>a plane of the codes' low bits and perhaps one of their high bits. A plane of n bits (1, 2 or 4) is {@code [n][32
 *       rows]} ints; column k lies in int k · n / 32, there in the four bits k mod 8, so that high bits are a shift away from
 *       their low ones, and there in bits n · (k / 8 mod 4 / n). A plane of 8 bits is {@code [32 columns][32 rows]} signed bytes.
 * </ul>
 *
 * <p>Packed sizes in bits a weight, and those in the file: q8_0 8.5 (8.5), q4_0 4.5 (4.5), q4_1 5 (5), q5_0 5.5 (5.5), q5_1 6
 * (6), q2_k 3.125 (2.625), q3_k 3.5625 (3.4375), q4_k 4.625 (4.5), q5_k 5.625 (5.5), q6_k 6.5625 (6.5625), mxfp4 4.5 (4.25);
 * iq4_nl is widened to the layout of q8_0: 8.5 (4.5).
 */
public enum PackedFormat {
    Q8_0(DType.Q8_0, 8, 0, 0, 0, 0, false),
    Q4_0(DType.Q4_0, 4, 0, 8, 0, 0, false),
    Q4_1(DType.Q4_1, 4, 0, 0, 0, 0, true),
    Q5_0(DType.Q5_0, 4, 1, 16, 0, 0, false),
    Q5_1(DType.Q5_1, 4, 1, 0, 0, 0, true),
    Q2_K(DType.Q2_K, 2, 0, 0, 2, 2, true),
    Q3_K(DType.Q3_K, 2, 1, 4, 2, 0, false),
    Q4_K(DType.Q4_K, 4, 0, 0, 1, 1, true),
    Q5_K(DType.Q5_K, 4, 1, 0, 1, 1, true),
    Q6_K(DType.Q6_K, 4, 2, 32, 2, 0, false),
    IQ4_NL(DType.IQ4_NL, 8, 0, 0, 0, 0, false),
    MXFP4(DType.MXFP4, 4, 0, 0, 0, 0, false);

    private static final int ROWS = 32;
    private static final int SCALE_BYTES = 2 * ROWS;
    private static final Map<DType, PackedFormat> BY_TYPE = new EnumMap<>(DType.class);

    static {
        for (PackedFormat format : values()) {
            BY_TYPE.put(format.type, format);
        }
    }

    private final DType type;
    private final int lowBits;
    private final int highBits;
    private final int zero;
    private final int integerScales;
    private final int integerMins;
    private final boolean offset;

    PackedFormat(DType type, int lowBits, int highBits, int zero, int integerScales, int integerMins, boolean offset) {
        this.type = type;
        this.lowBits = lowBits;
        this.highBits = highBits;
        this.zero = zero;
        this.integerScales = integerScales;
        this.integerMins = integerMins;
        this.offset = offset;
    }

    /**
     * The layout of a type.
     *
     * @throws IllegalArgumentException for a type without blocks
     */
    public static PackedFormat of(DType type) {
        PackedFormat format = BY_TYPE.get(type);
        if (format == null) {
            throw new IllegalArgumentException("%s is no block-quantised type".formatted(type.label()));
        }
        return format;
    }

    public DType type() {
        return type;
    }

    /** Whether a value is {@code d · … + b · …}. */
    public boolean offset() {
        return offset;
    }

    /** Bits of the first plane of codes: 2, 4 or 8. */
    public int lowBits() {
        return lowBits;
    }

    /** Bits of the second plane of codes: 0, 1 or 2. */
    public int highBits() {
        return highBits;
    }

    /** What is taken from a code to make it the integer weight. */
    public int zero() {
        return zero;
    }

    /** Integer scales of 32 columns: 0, 1, or 2 for sub-blocks of 16. */
    public int integerScales() {
        return integerScales;
    }

    /** Integer scales of the offset: 0 (it is taken once), 1, or 2 for sub-blocks of 16. */
    public int integerMins() {
        return integerMins;
    }

    /** Bytes before the first piece of a run: 0 for types whose block is a piece. */
    public int runBytes() {
        return type.blockSize() > 32 ? scaleBytes() : 0;
    }

    /** Bytes of a piece of 32 rows. */
    public int pieceBytes() {
        return highPlane() + 4 * ROWS * highBits;
    }

    /** Bytes from a piece to its integer scales. */
    public int integers() {
        return type.blockSize() > 32 ? 0 : scaleBytes();
    }

    /** Bytes from a piece to its plane of low bits. */
    public int lowPlane() {
        return integers() + ROWS * (integerScales + integerMins);
    }

    /** Bytes from a piece to its plane of high bits. */
    public int highPlane() {
        return lowPlane() + 4 * ROWS * lowBits;
    }

    private int scaleBytes() {
        return offset ? 2 * SCALE_BYTES : SCALE_BYTES;
    }

    /** Bytes of a group of 32 rows. */
    public long groupBytes(int pieces, int runs) {
        return (long) pieceBytes() * pieces + (long) runBytes() * runs;
    }

    /** Bytes from the start of a group to piece {@code piece}, which lies in run {@code run}. */
    public long pieceOffset(int piece, int run) {
        return (long) pieceBytes() * piece + runBytes() * (run + 1L);
    }

    /** Bytes from the start of a group to the scales of piece {@code piece}, whose run begins with {@code firstOfRun}. */
    public long scaleOffset(int piece, int run, int firstOfRun) {
        return runBytes() == 0
                ? (long) pieceBytes() * piece
                : (long) pieceBytes() * firstOfRun + (long) runBytes() * run;
    }
}
