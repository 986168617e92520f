package dev.troupe.kernel.measure;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.cuda.CudaKernels;
import dev.troupe.kernel.cuda.StandIn;
import dev.troupe.kernel.cuda.StandInTest;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every row of the table can be noted as a graph and is timed by the device, on the stand-in driver. */
@StandInTest
class DeviceTableTest {
    private final List<KernelRow> rows = new ArrayList<>();

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"BF16", "Q4_0"})
    void measuresOnADevice(DType type) {
        long replays = StandIn.count("replays");
        try (CudaDevice device = new CudaDevice(0);
                CudaKernels kernels = new CudaKernels(device);
                CudaKernels fast = new CudaKernels(device, Numerics.FAST)) {
            new KernelTable(
                            new KernelTable.Timed(kernels, kernels.clock()),
                            new KernelTable.Timed(fast, fast.clock()),
                            new KernelTable.Shape(64, 96, 4, 2, 16, 100, type, KvType.F16),
                            new KernelTable.Plan(List.of(1, 70), List.of(70), 1, 40_000),
                            rows::add)
                    .measure();
        }

        assertThat(rows).hasSize(22).allSatisfy(row -> assertThat(row.seconds()).isPositive());
        long products =
                rows.stream().filter(row -> row.kernel().startsWith("matmul")).count();
        assertThat(rows)
                .filteredOn(row -> row.fastSeconds() > 0)
                .hasSize(type.quantised() ? 0 : Math.toIntExact(products));
        assertThat(StandIn.count("replays"))
                .isEqualTo(replays + 3 * (rows.size() + (type.quantised() ? 0 : products))); // two warm up
    }
}
