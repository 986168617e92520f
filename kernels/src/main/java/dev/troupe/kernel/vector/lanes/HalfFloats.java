package dev.troupe.kernel.vector.lanes;

/**
 * How vectors widen an f16, exactly and for every finite one, subnormals included: with the half in the upper 16 bits of
 * an int, {@code (v >> 3) & MASK} has its fraction and exponent in place of an f32's and is the value times 2^-112, which
 * multiplying by {@link #SCALE} takes back.
 */
public final class HalfFloats {
    public static final int MASK = 0x8fffe000;
    public static final float SCALE = 0x1p112f;

    private HalfFloats() {}
}
