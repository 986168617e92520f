package dev.troupe.kernel.natives;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/**
 * The function of {@code troupe_kernels.c} for attention of one token over one span of a context whose keys and values are f16,
 * as the cache's blocks hold them, with the bits of NUMERICS rule 6. It runs where {@link NativeProducts} do.
 */
public final class NativeAttention {
    private static final MethodHandle ATTENTION = NativeLibrary.FOUND.function(
            "troupe_attention",
            FunctionDescriptor.ofVoid(
                    JAVA_LONG,
                    JAVA_LONG,
                    JAVA_LONG,
                    JAVA_LONG,
                    JAVA_LONG,
                    JAVA_LONG,
                    JAVA_LONG,
                    JAVA_LONG,
                    JAVA_LONG,
                    JAVA_LONG,
                    JAVA_FLOAT,
                    JAVA_LONG,
                    JAVA_LONG,
                    JAVA_LONG,
                    JAVA_LONG));

    private NativeAttention() {}

    /**
     * Attends to the visible tokens of a span.
     *
     * @param keys address of a table: for every block of the span where its keys of the first KV head start; blocks
     *     none of whose tokens share a group of 32 with a visible one may be anything
     * @param values address of a table likewise, for values
     * @param next address of keys that are probably read next: only a hint
     * @param from first visible token of the span
     * @param to one after the last
     * @param queries f32 {@code [kvHeads][perGroup][headDim]}
     * @param scores scratch for f32 {@code [kvHeads][perGroup][128]}
     * @param maxima gets f32 {@code [kvHeads][perGroup]}
     * @param denominators gets f32 {@code [kvHeads][perGroup]}
     * @param outputs gets f32 {@code [kvHeads][perGroup][headDim rounded up to 16]}
     */
    public static void attend(
            long keys,
            long values,
            long next,
            int blockSize,
            int from,
            int to,
            int kvHeads,
            int perGroup,
            int headDim,
            long queries,
            float scale,
            long scores,
            long maxima,
            long denominators,
            long outputs) {
        try {
            ATTENTION.invokeExact(
                    keys,
                    values,
                    next,
                    (long) blockSize,
                    (long) from,
                    (long) to,
                    (long) kvHeads,
                    (long) perGroup,
                    (long) headDim,
                    queries,
                    scale,
                    scores,
                    maxima,
                    denominators,
                    outputs);
        } catch (Throwable e) {
            throw NativeLibrary.failed(e);
        }
    }
}
