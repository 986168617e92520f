package dev.troupe.model.decoder;

import static dev.troupe.model.decoder.VectorModelTest.LENGTH;
import static dev.troupe.model.decoder.VectorModelTest.logits;
import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.cuda.CudaKernels;
import dev.troupe.kernel.cuda.StandIn;
import dev.troupe.kernel.cuda.StandInTest;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.model.Checkpoints;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.Floats;
import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole models through JCuda, on the stand-in driver, give the bits of the plain loops: on one device, and split over two. */
@StandInTest
class CudaModelTest {
    @BeforeEach
    void needsTwoDevices() {
        StandIn.set("devices", 2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"tales", "mistral", "qwen3", "tiny:bf16", "tiny:q8_0", "tiny:q4_0", "tiny-256:q4_k_m"})
    void equalsTheReferenceKernels(String name) throws IOException {
        try (Checkpoint checkpoint = Checkpoints.open(name);
                CudaDevice first = new CudaDevice(0);
                CudaDevice second = new CudaDevice(1)) {
            Floats expected = logits(checkpoint, 1, 1, ReferenceKernels::new, LENGTH);

            assertThat(logits(checkpoint, 1, 1, () -> new CudaKernels(first), LENGTH))
                    .isEqualTo(expected);
            Iterator<CudaDevice> turns = Stream.generate(() -> List.of(first, second))
                    .flatMap(List::stream)
                    .iterator();
            assertThat(logits(checkpoint, 2, 2, () -> new CudaKernels(turns.next()), 7))
                    .isEqualTo(expected);
        }
    }
}
