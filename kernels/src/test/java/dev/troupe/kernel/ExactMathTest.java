package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

class ExactMathTest {
    private static final float INFINITY = Float.POSITIVE_INFINITY;

    @Test
    void exponentialIsWithinOneUlp() {
        assertThat(worst(ExactMath::exp, StrictMath::exp, -87f, -0x1p-30f)).isLessThan(1.0);
        assertThat(worst(ExactMath::exp, StrictMath::exp, 0x1p-30f, ExactMath.EXP_MOST))
                .isLessThan(1.0);
    }

    @Test
    void exponentialIsDefinedAtItsEnds() {
        assertThat(ExactMath.exp(0f)).isEqualTo(1f);
        assertThat(ExactMath.exp(-0f)).isEqualTo(1f);
        assertThat(ExactMath.exp(-87f)).isEqualTo((float) StrictMath.exp(-87));
        assertBits(ExactMath.exp(Math.nextDown(-87f)), 0f);
        assertBits(ExactMath.exp(Float.NEGATIVE_INFINITY), 0f);
        assertThat(ExactMath.exp(ExactMath.EXP_MOST))
                .isLessThanOrEqualTo(Float.MAX_VALUE)
                .isGreaterThan(3.4e38f);
        assertThat(ExactMath.exp(Math.nextUp(ExactMath.EXP_MOST))).isEqualTo(INFINITY);
        assertThat(ExactMath.exp(INFINITY)).isEqualTo(INFINITY);
        assertThat(ExactMath.exp(Float.NaN)).isNaN();
    }

    @Test
    void logarithmIsWithinOneUlp() {
        assertThat(worst(ExactMath::log, StrictMath::log, Float.MIN_VALUE, Float.MAX_VALUE))
                .isLessThan(1.0);
        assertThat(worst(ExactMath::log, StrictMath::log, 0.5f, 2f)).isLessThan(1.0);
    }

    @Test
    void logarithmIsDefinedAtItsEnds() {
        assertBits(ExactMath.log(1f), 0f);
        assertThat(ExactMath.log(0f)).isEqualTo(Float.NEGATIVE_INFINITY);
        assertThat(ExactMath.log(-0f)).isEqualTo(Float.NEGATIVE_INFINITY);
        assertThat(ExactMath.log(-1f)).isNaN();
        assertThat(ExactMath.log(Float.NaN)).isNaN();
        assertThat(ExactMath.log(INFINITY)).isEqualTo(INFINITY);
    }

    @Test
    void logarithmOfOnePlusIsWithinTwoUlp() {
        assertThat(worst(ExactMath::log1p, StrictMath::log1p, 0x1p-31f, Float.MAX_VALUE))
                .isLessThan(2.0);
        assertThat(worst(ExactMath::log1p, StrictMath::log1p, Math.nextUp(-1f), -0x1p-31f))
                .isLessThan(2.0);
    }

    @Test
    void logarithmOfOnePlusIsDefinedAtItsEnds() {
        assertBits(ExactMath.log1p(-0f), -0f);
        assertThat(ExactMath.log1p(-1f)).isEqualTo(Float.NEGATIVE_INFINITY);
        assertThat(ExactMath.log1p(-1.5f)).isNaN();
        assertThat(ExactMath.log1p(Float.NaN)).isNaN();
        assertThat(ExactMath.log1p(INFINITY)).isEqualTo(INFINITY);
        assertThat(ExactMath.log1p(Float.MIN_VALUE)).isEqualTo(Float.MIN_VALUE);
    }

    @Test
    void hyperbolicTangentIsWithinTwoUlp() {
        assertThat(worst(ExactMath::tanh, StrictMath::tanh, 0x1p-20f, 20f)).isLessThan(2.0);
        assertThat(worst(ExactMath::tanh, StrictMath::tanh, -20f, -0x1p-20f)).isLessThan(2.0);
    }

    @Test
    void hyperbolicTangentIsDefinedAtItsEnds() {
        assertBits(ExactMath.tanh(-0f), -0f);
        assertThat(ExactMath.tanh(INFINITY)).isEqualTo(1f);
        assertThat(ExactMath.tanh(Float.NEGATIVE_INFINITY)).isEqualTo(-1f);
        assertThat(ExactMath.tanh(Float.NaN)).isNaN();
    }

    /** The largest error in ulp over about 400,000 floats between {@code from} and {@code to}, dense in every binade. */
    private static double worst(FloatFunction function, DoubleUnaryOperator truth, float from, float to) {
        long low = ordered(from);
        long high = ordered(to);
        double worst = 0;
        long step = Math.max(1, (high - low) / 400_000 | 1);
        for (long i = low; i <= high; i += step) {
            float x = fromOrdered(i);
            double expected = truth.applyAsDouble(x);
            double error = Math.abs(function.apply(x) - expected) / Math.ulp((float) expected);
            worst = Math.max(worst, error);
        }
        return worst;
    }

    private static long ordered(float x) {
        int bits = Float.floatToRawIntBits(x);
        return bits >= 0 ? bits : -(bits & 0x7fffffffL);
    }

    private static float fromOrdered(long i) {
        return i >= 0 ? Float.intBitsToFloat((int) i) : -Float.intBitsToFloat((int) -i);
    }

    private static void assertBits(float actual, float expected) {
        assertThat(Float.floatToRawIntBits(actual)).isEqualTo(Float.floatToRawIntBits(expected));
    }

    private interface FloatFunction {
        float apply(float x);
    }
}
