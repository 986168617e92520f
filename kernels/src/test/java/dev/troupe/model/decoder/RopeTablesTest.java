package dev.troupe.model.decoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.troupe.kernel.RopeTable;
import dev.troupe.model.RopeConfig;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RopeTablesTest {
    private static final RopeConfig PLAIN = new RopeConfig(10_000, new RopeConfig.None());

    @Test
    void roundsTheCosineAndSineOfPositionTimesFrequency() {
        RopeTable table = RopeTables.build(PLAIN, 8, 50, Arena.ofAuto());

        assertThat(table.cosines().rows()).isEqualTo(50);
        assertThat(table.cosines().columns()).isEqualTo(4);
        assertThat(table.cosines().get(0, 3)).isEqualTo(1f);
        assertThat(table.sines().get(0, 3)).isEqualTo(0f);
        assertThat(table.cosines().get(49, 0)).isEqualTo((float) StrictMath.cos(49));
        assertThat(table.sines().get(49, 2)).isEqualTo((float) StrictMath.sin(49 * 0.01));
        assertThat(table.sines().get(7, 3)).isEqualTo((float) StrictMath.sin(7 * (1 / 1000.0)));
    }

    @Test
    void dividesAllFrequenciesUnderLinearScaling() {
        double[] plain = RopeTables.frequencies(PLAIN, 16);
        double[] scaled = RopeTables.frequencies(new RopeConfig(10_000, new RopeConfig.Linear(4)), 16);

        for (int i = 0; i < 8; i++) {
            assertThat(scaled[i]).isEqualTo(plain[i] / 4);
        }
    }

    @Test
    void keepsHighAndDividesLowFrequenciesUnderLlama3() {
        double[] plain = RopeTables.frequencies(new RopeConfig(500_000, new RopeConfig.None()), 128);
        double[] scaled = RopeTables.frequencies(new RopeConfig(500_000, new RopeConfig.Llama3(8, 1, 4, 8192)), 128);

        assertThat(scaled[0]).isEqualTo(plain[0]);
        assertThat(scaled[28]).isEqualTo(plain[28]);
        // 8192 · 500000^(−60/128) / 2π = 2.78 turns lie between 1 and 4.
        double turns = 8192 * plain[30] / (2 * Math.PI);
        double smooth = (turns - 1) / 3;
        assertThat(turns).isBetween(1.0, 4.0);
        assertThat(scaled[30]).isCloseTo((1 - smooth) * plain[30] / 8 + smooth * plain[30], within(1e-18));
        assertThat(scaled[63]).isEqualTo(plain[63] / 8);
    }

    @Test
    void dividesEachFrequencyByAFactorOfItsOwn() {
        double[] plain = RopeTables.frequencies(new RopeConfig(500_000, new RopeConfig.None()), 128);
        double[] byFormula = RopeTables.frequencies(new RopeConfig(500_000, new RopeConfig.Llama3(8, 1, 4, 8192)), 128);
        List<Float> factors = IntStream.range(0, 64)
                .mapToObj(i -> (float) (plain[i] / byFormula[i]))
                .toList();

        double[] scaled = RopeTables.frequencies(new RopeConfig(500_000, new RopeConfig.Factors(factors)), 128);

        assertThat(factors).contains(1f, 8f).hasSizeGreaterThan(factors.indexOf(8f));
        for (int i = 0; i < 64; i++) {
            boolean exact = factors.get(i) == 1 || factors.get(i) == 8;
            // A factor was rounded to f32, half a unit in the last place of 24 bits.
            assertThat(scaled[i]).isCloseTo(byFormula[i], within(exact ? 0 : byFormula[i] * 0x1p-24));
        }
    }

    @Test
    void rampsBetweenTheCorrectionDimensionsUnderYarn() {
        double[] plain = RopeTables.frequencies(new RopeConfig(1e6, new RopeConfig.None()), 128);
        double[] scaled =
                RopeTables.frequencies(new RopeConfig(1e6, new RopeConfig.Yarn(4, 32768, 32, 1, 0, true)), 128);

        // 128 · ln(32768 / (32 · 2π)) / (2 ln 1e6) = 23.6 and the same with 1 turn = 39.6.
        assertThat(scaled[23]).isEqualTo(plain[23]);
        assertThat(scaled[24]).isLessThan(plain[24]).isGreaterThan(plain[24] / 4);
        assertThat(scaled[31]).isCloseTo(plain[31] * (8 / 17.0 / 4 + 9 / 17.0), within(1e-18));
        assertThat(scaled[40]).isEqualTo(plain[40] / 4);
    }

    @Test
    void multipliesCosineAndSineUnderYarn() {
        RopeConfig.Yarn byPaper = new RopeConfig.Yarn(4, 32, 32, 1, 0, true);
        RopeConfig.Yarn given = new RopeConfig.Yarn(4, 32, 32, 1, 1.5, true);

        assertThat(RopeTables.build(new RopeConfig(1e6, byPaper), 32, 1, Arena.ofAuto())
                        .cosines()
                        .get(0, 0))
                .isEqualTo((float) (0.1 * StrictMath.log(4) + 1));
        assertThat(RopeTables.build(new RopeConfig(1e6, given), 32, 1, Arena.ofAuto())
                        .cosines()
                        .get(0, 0))
                .isEqualTo(1.5f);
    }
}
