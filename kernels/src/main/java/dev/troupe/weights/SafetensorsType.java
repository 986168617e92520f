package dev.troupe.weights;

import dev.troupe.tensor.DType;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Element types that the safetensors format knows, and which of them kernels compute with. */
enum SafetensorsType {
    BOOL(8, null),
    F4(4, null),
    F6_E2M3(6, null),
    F6_E3M2(6, null),
    U8(8, null),
    I8(8, null),
    F8_E5M2(8, null),
    F8_E4M3(8, null),
    F8_E5M2FNUZ(8, null),
    F8_E4M3FNUZ(8, null),
    F8_E8M0(8, null),
    I16(16, null),
    U16(16, null),
    F16(16, DType.F16),
    BF16(16, DType.BF16),
    I32(32, null),
    U32(32, null),
    F32(32, DType.F32),
    C64(64, null),
    F64(64, null),
    I64(64, null),
    U64(64, null);

    private static final Map<String, SafetensorsType> BY_NAME = new HashMap<>();

    static {
        for (SafetensorsType type : values()) {
            BY_NAME.put(type.name(), type);
        }
    }

    private final int bits;
    private final @Nullable DType computed;

    SafetensorsType(int bits, @Nullable DType computed) {
        this.bits = bits;
        this.computed = computed;
    }

    /** The type of that name, or null. */
    static @Nullable SafetensorsType named(String name) {
        return BY_NAME.get(name);
    }

    /** Bits of one element. */
    int bits() {
        return bits;
    }

    /** The type kernels know it as, or null. */
    @Nullable
    DType computed() {
        return computed;
    }
}
