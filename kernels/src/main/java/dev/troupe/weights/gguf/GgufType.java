package dev.troupe.weights.gguf;

import dev.troupe.tensor.DType;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Element types of tensors as ggml numbers them, with the size of their blocks, and which of them kernels compute with.
 * Numbers that are missing here belonged to types that ggml has removed.
 */
enum GgufType {
    F32(0, DType.F32),
    F16(1, DType.F16),
    Q4_0(2, DType.Q4_0),
    Q4_1(3, DType.Q4_1),
    Q5_0(6, DType.Q5_0),
    Q5_1(7, DType.Q5_1),
    Q8_0(8, DType.Q8_0),
    Q8_1(9, 32, 36),
    Q2_K(10, DType.Q2_K),
    Q3_K(11, DType.Q3_K),
    Q4_K(12, DType.Q4_K),
    Q5_K(13, DType.Q5_K),
    Q6_K(14, DType.Q6_K),
    Q8_K(15, 256, 292),
    IQ2_XXS(16, 256, 66),
    IQ2_XS(17, 256, 74),
    IQ3_XXS(18, 256, 98),
    IQ1_S(19, 256, 50),
    IQ4_NL(20, DType.IQ4_NL),
    IQ3_S(21, 256, 110),
    IQ2_S(22, 256, 82),
    IQ4_XS(23, 256, 136),
    I8(24, 1, 1),
    I16(25, 1, 2),
    I32(26, 1, 4),
    I64(27, 1, 8),
    F64(28, 1, 8),
    IQ1_M(29, 256, 56),
    BF16(30, DType.BF16),
    TQ1_0(34, 256, 54),
    TQ2_0(35, 256, 66),
    MXFP4(39, DType.MXFP4),
    NVFP4(40, 64, 36);

    private static final Map<Integer, GgufType> BY_ID = new HashMap<>();

    static {
        for (GgufType type : values()) {
            BY_ID.put(type.id, type);
        }
    }

    private final int id;
    private final int blockSize;
    private final int blockBytes;
    private final @Nullable DType computed;

    GgufType(int id, int blockSize, int blockBytes) {
        this.id = id;
        this.blockSize = blockSize;
        this.blockBytes = blockBytes;
        this.computed = null;
    }

    GgufType(int id, DType computed) {
        this.id = id;
        this.blockSize = computed.blockSize();
        this.blockBytes = computed.blockBytes();
        this.computed = computed;
    }

    /** The type of that number, or null. */
    static @Nullable GgufType of(int id) {
        return BY_ID.get(id);
    }

    /** The type that stores what kernels know as {@code type}. */
    static GgufType of(DType type) {
        for (GgufType candidate : values()) {
            if (candidate.computed == type) {
                return candidate;
            }
        }
        throw new IllegalArgumentException("GGUF has no tensors of type %s".formatted(type.label()));
    }

    /** The number that stands for it in a file. */
    int id() {
        return id;
    }

    /** Neighbouring elements that are stored together. */
    int blockSize() {
        return blockSize;
    }

    /** Bytes of a block. */
    int blockBytes() {
        return blockBytes;
    }

    /** The type kernels know it as, or null. */
    @Nullable
    DType computed() {
        return computed;
    }
}
