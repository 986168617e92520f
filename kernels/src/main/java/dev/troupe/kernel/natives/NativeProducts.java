package dev.troupe.kernel.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.quantised.PackedFormat;
import dev.troupe.tensor.DType;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * The functions of {@code troupe_kernels.c}, at the level with the widest vectors that run here: products of block-quantised weights, as they are packed, with rounded
 * activations. Integer sums are formed by eight-bit dot products; what rounds is done in the order of NUMERICS rule 2, so the
 * bits are those of the other kernels. Memory is passed as raw addresses, and calls allocate nothing.
 */
public final class NativeProducts {
    /** Tokens of a tile of activations; the last tile of a batch may have less. */
    public static final int TILE = 4;

    /** Bytes of a piece's activations of one token. */
    public static final int RECORD_BYTES = 52;

    /** Bytes of scratch memory that {@link #multiply} needs. */
    public static final int SCRATCH_BYTES = 32 * 1792;

    // Static and final, so that the JIT sees through them.
    private static final MethodHandle DOTS =
            NativeLibrary.FOUND.function("troupe_dots", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle ACTIVATIONS = NativeLibrary.FOUND.function(
            "troupe_activations",
            FunctionDescriptor.ofVoid(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle PRODUCT = NativeLibrary.FOUND.function(
            "troupe_product",
            FunctionDescriptor.ofVoid(
                    JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
                    JAVA_LONG, JAVA_LONG, JAVA_LONG));

    private NativeProducts() {}

    /** Why they cannot run here, as the end of a sentence; null where they can. */
    public static @Nullable String refusal() {
        return NativeLibrary.FOUND.refusal();
    }

    /** Place of a type in the table of {@code troupe_kernels.c}. */
    private static int id(DType type) {
        return switch (PackedFormat.of(type)) {
            case Q8_0, IQ4_NL -> 0;
            case Q4_0 -> 1;
            case Q4_1 -> 2;
            case Q5_0 -> 3;
            case Q5_1 -> 4;
            case Q2_K -> 5;
            case Q3_K -> 6;
            case Q4_K -> 7;
            case Q5_K -> 8;
            case Q6_K -> 9;
            case MXFP4 -> 10;
        };
    }

    /**
     * Forms eight-bit dot products in registers and nothing else: what products of quantised weights are made of.
     *
     * @param rounds how often
     * @param left address that gets an int, what is left of them
     * @return products of two bytes, each with its addition, of one round
     */
    public static long dots(long rounds, long left) {
        try {
            return (long) DOTS.invokeExact(rounds, left);
        } catch (Throwable e) {
            throw NativeLibrary.failed(e);
        }
    }

    /**
     * Rounds one token's activations for a chunk, NUMERICS rule 2, and makes their records.
     *
     * @param x f32 {@code [columns]} of the chunk
     * @param records address of the token in its tile
     * @param width tokens of that tile
     */
    public static void activations(PackedMatrix w, long x, long records, int width) {
        try {
            ACTIVATIONS.invokeExact(
                    id(w.type()), (long) w.columns(), (long) w.pieces().gridOffset(), x, records, (long) width);
        } catch (Throwable e) {
            throw NativeLibrary.failed(e);
        }
    }

    /**
     * Multiplies some groups of rows with all tokens of a batch.
     *
     * @param group first of {@code count} groups
     * @param records of all chunks {@code [tile][allPieces][tokens of the tile]}
     * @param firstPiece of this chunk among all
     * @param y gets f32 {@code [tokens][32 · count]}
     * @param scratch address of {@link #SCRATCH_BYTES} bytes
     */
    public static void multiply(
            PackedMatrix w,
            int group,
            int count,
            long records,
            int allPieces,
            int firstPiece,
            int tokens,
            long y,
            long scratch) {
        try {
            PRODUCT.invokeExact(
                    id(w.type()),
                    w.address() + group * w.groupBytes(),
                    w.groupBytes(),
                    (long) count,
                    (long) w.pieces().gridOffset(),
                    (long) w.pieces().count(),
                    records,
                    (long) allPieces,
                    (long) firstPiece,
                    (long) tokens,
                    y,
                    scratch);
        } catch (Throwable e) {
            throw NativeLibrary.failed(e);
        }
    }
}
