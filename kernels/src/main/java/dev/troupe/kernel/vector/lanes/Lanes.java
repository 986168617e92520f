package dev.troupe.kernel.vector.lanes;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vector width of this process and what follows from it. One width for all: the machine's preferred one up to 512
 * bits, or the system property {@code troupe.vector-bits} (128, 256 or 512).
 *
 * <p>One source serves every width: kernels walk eight vectors of rows, two for every <i>unit</i> of {@link #L}
 * neighbouring ints of the interleaved layout (32 rows are 16 ints: row i below row i + 16). Unit j is {@code j · L} ints
 * into the groups that are walked together: four groups at 512 bits, two at 256, one at 128.
 */
public final class Lanes {
    public static final int BITS = bits();

    public static final VectorSpecies<Float> F = FloatVector.SPECIES_512.withShape(VectorShape.forBitSize(BITS));
    public static final VectorSpecies<Integer> I = IntVector.SPECIES_512.withShape(VectorShape.forBitSize(BITS));

    /** As many halves as {@link #F} has lanes. */
    public static final VectorSpecies<Short> S = ShortVector.SPECIES_512.withShape(VectorShape.forBitSize(BITS / 2));

    /** At least as many bytes as {@link #F} has lanes; part 0 of a conversion is as many. */
    public static final VectorSpecies<Byte> B =
            ByteVector.SPECIES_512.withShape(VectorShape.forBitSize(Math.max(64, BITS / 4)));

    /** Lanes of {@link #F}: 4, 8 or 16. */
    public static final int L = F.length();

    /** Groups of 32 rows that eight vectors hold: 1, 2 or 4. */
    public static final int GROUPS = L / 4;

    /** Ints from the start of its group to units 1, 2 and 3 of a step; unit 0 starts at 0. */
    public static final int UNIT_1 = L % 16;

    public static final int UNIT_2 = 2 * L % 16;
    public static final int UNIT_3 = 3 * L % 16;

    /** Rows from the start of the step to the lower half of units 1, 2 and 3; the upper half is 16 rows on. */
    public static final int ROW_1 = L / 16 * 32 + UNIT_1;

    public static final int ROW_2 = 2 * L / 16 * 32 + UNIT_2;
    public static final int ROW_3 = 3 * L / 16 * 32 + UNIT_3;

    /** All memory: kernels take raw addresses, because a constant base address costs a load for every access. */
    @SuppressWarnings("restricted") // sizes are checked at the entry of every operation
    public static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    public static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
    public static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(LE);
    public static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(LE);
    public static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(LE);

    private Lanes() {}

    private static int bits() {
        int forced = VectorWidth.forced();
        return forced == 0 ? Math.clamp(FloatVector.SPECIES_PREFERRED.vectorBitSize(), 128, 512) : forced;
    }
}
