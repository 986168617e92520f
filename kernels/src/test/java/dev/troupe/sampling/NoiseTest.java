package dev.troupe.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class NoiseTest {

    @Test
    void staysWithinTheReachThatSkippingReliesOn() {
        float least = Noise.fromBits(-1);
        float most = Noise.fromBits(0);

        assertThat(least).isCloseTo(-2.8114f, within(1e-3f));
        assertThat(most).isCloseTo(21.4876f, within(1e-3f));
        assertThat(most - least).isLessThan(Noise.REACH - 0.5f);
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < 1_000_000; i++) {
            int bits = random.nextInt() >> random.nextInt(32);
            assertThat(Noise.fromBits(bits)).isBetween(least, most);
        }
    }

    @Test
    void isTheFormulaInDoublePrecisionOfTheRoundedUniform() {
        SplittableRandom random = new SplittableRandom(2);
        for (int i = 0; i < 100_000; i++) {
            int bits = random.nextInt();

            double v = Math.min((float) ((bits >>> 1) | 1) * 0x1p-31f, 1f - 0x1p-24f);

            assertThat((double) Noise.fromBits(bits)).isCloseTo(-Math.log(-Math.log1p(-v)), within(1e-4));
        }
    }

    @Test
    void takesItsBitsFromTheFirstWordOfTheBlock() {
        int[] counter = {3, 17, 4711, 0};
        Philox.block(0x1234_5678_9abc_def0L, counter);

        float noise = new Noise(0x1234_5678_9abc_def0L, 3, 17).of(4711);

        assertThat(noise).isEqualTo(Noise.fromBits(counter[0]));
    }

    @Test
    void dependsOnSeedChoicePositionAndToken() {
        float noise = new Noise(1, 2, 3).of(4);

        assertThat(new Noise(1, 2, 3).of(4)).isEqualTo(noise);
        assertThat(new Noise(2, 2, 3).of(4)).isNotEqualTo(noise);
        assertThat(new Noise((1L << 32) | 1, 2, 3).of(4)).isNotEqualTo(noise);
        assertThat(new Noise(1, 1, 3).of(4)).isNotEqualTo(noise);
        assertThat(new Noise(1, 2, 4).of(4)).isNotEqualTo(noise);
        assertThat(new Noise(1, 2, 3).of(5)).isNotEqualTo(noise);
    }

    /** Without the bound on magnitudes 33554452 fails: its token ties with one 26 below. */
    @Test
    void aSkippedTokenCannotEvenTieAtAnyMagnitude() {
        float least = Noise.fromBits(-1);
        float most = Noise.fromBits(0);
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < 4_000_000; i++) {
            int nearAPowerOfTwo = (random.nextInt(512) << 23) + random.nextInt(-80, 81);
            float largest = Float.intBitsToFloat(i % 2 == 0 ? random.nextInt() : nearAPowerOfTwo);
            float skipped = Math.nextDown(Noise.leastThatCanWin(largest));
            if (Float.isFinite(largest) && Float.isFinite(skipped) && !(skipped + most < largest + least)) {
                fail("largest=%s, skipped=%s", largest, skipped);
            }
        }
    }
}
