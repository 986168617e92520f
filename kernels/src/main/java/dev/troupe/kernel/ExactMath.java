package dev.troupe.kernel;

/**
 * The elementary functions that rounded results depend on, as f32 polynomials of fused multiply-adds and integer
 * operations, so that scalar code, vectors of any width and a GPU give equal bits (NUMERICS rule 7).
 *
 * <p>The coefficients are minimax fits on the reduced range (relative error below 4e-9), rounded to f32; the errors
 * below were measured against double. Vector kernels write the same operations in the same order.
 */
public final class ExactMath {
    /** Adding and subtracting it rounds a float below 2^22 to the nearest integer, ties to even. */
    public static final float ROUNDER = 0x1.8p23f;

    /** Below it {@link #exp} is +0. */
    public static final float EXP_LEAST = -87f;

    /** Above it {@link #exp} is infinite: the largest float whose exponential is finite. */
    public static final float EXP_MOST = 0x1.62e42ep6f;

    public static final float LOG2_E = 0x1.715476p0f;

    /** Upper part of ln 2, with 9 trailing zeros: its product with an exponent is exact. */
    public static final float LN2_HIGH = 0x1.63p-1f;

    /** ln 2 less {@link #LN2_HIGH}. */
    public static final float LN2_LOW = -0x1.bd0106p-13f;

    public static final float EXP_2 = 0x1.fffffcp-2f;
    public static final float EXP_3 = 0x1.55549p-3f;
    public static final float EXP_4 = 0x1.5558f4p-5f;
    public static final float EXP_5 = 0x1.123a6cp-7f;
    public static final float EXP_6 = 0x1.6a235p-10f;

    private static final int SQRT_HALF_BITS = 0x3f3504f3;

    private ExactMath() {}

    /**
     * {@code e^x}, at most 1 ulp off; +0 below {@link #EXP_LEAST}, infinite above {@link #EXP_MOST}.
     *
     * <p>x = n · ln 2 + r with |r| ≤ ln 2 / 2; {@code e^r = 1 + r + r²·q(r)}; n is added to the exponent's bits, which in
     * the range above neither overflows nor meets a subnormal.
     */
    public static float exp(float x) {
        if (x < EXP_LEAST) {
            return 0f;
        }
        if (x > EXP_MOST) {
            return Float.POSITIVE_INFINITY;
        }
        if (Float.isNaN(x)) {
            return Float.NaN;
        }
        float t = Math.fma(x, LOG2_E, ROUNDER);
        float n = t - ROUNDER;
        float r = Math.fma(n, -LN2_HIGH, x);
        r = Math.fma(n, -LN2_LOW, r);
        float q = Math.fma(EXP_6, r, EXP_5);
        q = Math.fma(q, r, EXP_4);
        q = Math.fma(q, r, EXP_3);
        q = Math.fma(q, r, EXP_2);
        float p = Math.fma(r * r, q, r) + 1f;
        return Float.intBitsToFloat(Float.floatToRawIntBits(p) + (Float.floatToRawIntBits(t) << 23));
    }

    /**
     * The natural logarithm, at most 1 ulp off; −∞ for ±0, NaN for negative values.
     *
     * <p>x = 2^e · (1 + f) with 1 + f in [√½, √2).
     */
    public static float log(float x) {
        if (!(x > 0f)) {
            return x == 0f ? Float.NEGATIVE_INFINITY : Float.NaN;
        }
        if (x == Float.POSITIVE_INFINITY) {
            return x;
        }
        int shift = 0;
        float scaled = x;
        if (x < Float.MIN_NORMAL) {
            scaled = x * 0x1p25f;
            shift = 25;
        }
        int bits = Float.floatToRawIntBits(scaled);
        int e = (bits - SQRT_HALF_BITS) >> 23;
        float f = Float.intBitsToFloat(bits - (e << 23)) - 1f;
        return logOfParts(f, e - shift);
    }

    /**
     * {@code ln(1 + x)}, at most 2 ulp off, also for tiny x; −∞ for −1, NaN below.
     *
     * <p>What rounding 1 + x lost is added to the reduced argument, whose scale is a power of two.
     */
    public static float log1p(float x) {
        if (!(x > -1f)) {
            return x == -1f ? Float.NEGATIVE_INFINITY : Float.NaN;
        }
        if (x >= 0x1p25f) {
            return log(x);
        }
        if (Math.abs(x) < 0x1p-25f) {
            return x;
        }
        float u = 1f + x;
        float ofX = u - 1f;
        float lost = (1f - (u - ofX)) + (x - ofX);
        int bits = Float.floatToRawIntBits(u);
        int e = (bits - SQRT_HALF_BITS) >> 23;
        float f = Float.intBitsToFloat(bits - (e << 23)) - 1f;
        f = Math.fma(lost, Float.intBitsToFloat((127 - e) << 23), f);
        return logOfParts(f, e);
    }

    /** {@code e · ln 2 + ln(1 + f)}. */
    private static float logOfParts(float f, int e) {
        float q = Math.fma(0x1.14572p-4f, f, -0x1.de3bf2p-4f);
        q = Math.fma(q, f, 0x1.e6f094p-4f);
        q = Math.fma(q, f, -0x1.fc221p-4f);
        q = Math.fma(q, f, 0x1.233766p-3f);
        q = Math.fma(q, f, -0x1.555c4ep-3f);
        q = Math.fma(q, f, 0x1.99a4b6p-3f);
        q = Math.fma(q, f, -0x1.000006p-2f);
        q = Math.fma(q, f, 0x1.555548p-2f);
        float square = f * f;
        float n = (float) e;
        float y = (square * f) * q;
        y = Math.fma(n, LN2_LOW, y);
        y = Math.fma(-0.5f, square, y);
        return Math.fma(n, LN2_HIGH, f + y);
    }

    /**
     * The hyperbolic tangent, at most 2 ulp off; ±1 beyond ±9.1.
     *
     * <p>Below 0.625: {@code x + x³·q(x²)}; above: {@code 1 − 2 / (e^2x + 1)}.
     */
    public static float tanh(float x) {
        float a = Math.abs(x);
        if (a > 9.1f) {
            return Math.copySign(1f, x);
        }
        if (a >= 0.625f) {
            return Math.copySign(1f - 2f / (exp(a + a) + 1f), x);
        }
        float z = a * a;
        float q = Math.fma(0x1.18e1dcp-9f, z, -0x1.0bf4fcp-7f);
        q = Math.fma(q, z, 0x1.638b58p-6f);
        q = Math.fma(q, z, -0x1.b9ee9p-5f);
        q = Math.fma(q, z, 0x1.111066p-3f);
        q = Math.fma(q, z, -0x1.555554p-2f);
        return Math.copySign(Math.fma(a * z, q, a), x);
    }
}
