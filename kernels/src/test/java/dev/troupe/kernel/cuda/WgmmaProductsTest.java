package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.Samples;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Fast products by tensor cores of warpgroups. */
class WgmmaProductsTest extends FastProductsContract {
    @Override
    int capability() {
        return 90;
    }

    @Override
    String kernelOfSomeTokens() {
        return "matmul_fast_90a_skinny_bf16";
    }

    /** The stand-in adds in the same order for both kinds of tensor cores: so do the kernels, under every order of threads and copies. */
    @ParameterizedTest
    @CsvSource({
        "BF16, few, 5, 40, 900",
        "F16, few, 8, 70, 700",
        "BF16, skinny, 9, 70, 420",
        "F16, skinny, 64, 40, 330",
        "BF16, wide, 66, 270, 300",
        "F16, wide, 130, 40, 230"
    })
    void addInTheOrderOfWarps(DType type, String tile, int tokens, int rows, int columns) {
        String launches = "launches:matmul_fast_90a_%s_%s".formatted(tile, type.label());
        try (DeviceWork work = new DeviceWork()) {
            // more columns than the ring of stages has, and a tile of rows that is not whole
            PackedMatrix w = MatrixPacker.pack(work.arena, Samples.weights(work.arena, type, rows, columns, random));
            Tensor x = Samples.floats(work.arena, tokens, columns, random);
            StandIn.set("capability", 80);
            try (DeviceWork warps = new DeviceWork()) {
                Tensor wanted = multiply(warps, w, null, x, new Tokens(tokens, tokens));

                for (int schedule = 0; schedule < StandIn.SCHEDULES; schedule++) {
                    StandIn.set("schedule", schedule);
                    long before = StandIn.count(launches);

                    Tensor y = multiply(work, w, null, x, new Tokens(tokens, tokens));

                    assertThat(StandIn.count(launches)).isEqualTo(before + 1);
                    for (int t = 0; t < tokens; t++) {
                        for (int r = 0; r < w.rows(); r++) {
                            assertThat(y.get(t, r)).isEqualTo(wanted.get(t, r));
                        }
                    }
                }
            }
        }
    }
}
