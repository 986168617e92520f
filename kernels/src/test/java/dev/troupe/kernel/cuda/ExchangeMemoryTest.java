package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.cuda.driver.PublishedRows;
import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.tensor.Floats;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What ranks leave to each other on devices, on the stand-in driver, which does nothing before somebody waits for it. */
@StandInTest
class ExchangeMemoryTest {
    private static final int ROWS = 2;
    private static final int COLUMNS = 3;
    private static final long BYTES = 4L * ROWS * COLUMNS;

    @BeforeEach
    void needsTwoDevices() {
        StandIn.set("devices", 2);
    }

    /** Two devices, each with a stream; the sums of a rank on the first one and where a rank on the other wants them. */
    private static final class Ranks implements AutoCloseable {
        final Arena arena = Arena.ofShared();
        final CudaDevice first = new CudaDevice(0);
        final CudaDevice second;
        final CudaStream writer = first.stream();
        final CudaStream reader;
        final MemorySegment sums = first.memory().allocate(arena, Use.WORKSPACE, BYTES);
        final MemorySegment got;

        Ranks(int devices) {
            second = devices == 1 ? first : new CudaDevice(1);
            reader = second.stream();
            got = second.memory().allocate(arena, Use.WORKSPACE, BYTES);
        }

        PublishedRows publish(float value) {
            MemorySegment host = arena.allocate(BYTES).copyFrom(MemorySegment.ofArray(values(value)));
            writer.upload(host, sums);
            return first.exchange().publish(writer, sums, ROWS, COLUMNS);
        }

        float[] read(CudaStream stream) {
            MemorySegment host = arena.allocate(BYTES);
            stream.download(got, host);
            stream.synchronize();
            return host.toArray(ValueLayout.JAVA_FLOAT);
        }

        long held() {
            return first.memory().held(Use.WORKSPACE);
        }

        @Override
        public void close() {
            writer.close();
            reader.close();
            arena.close();
            if (second != first) {
                second.close();
            }
            first.close();
        }
    }

    private static float[] values(float value) {
        float[] values = new float[ROWS * COLUMNS];
        Arrays.fill(values, value);
        return values;
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 0, 0", "2, 1, 24, 0", "2, 0, 0, 24"})
    void copiesAtTheTurnsOfBothStreams(int devices, int peers, long peered, long byHost) {
        StandIn.set("peers", peers);
        try (Ranks ranks = new Ranks(devices)) {
            long peeredBefore = StandIn.count("peered");
            long downloaded = StandIn.count("downloaded");
            long uploaded = StandIn.count("uploaded");
            PublishedRows rows = ranks.publish(1);
            ranks.writer.fill(ranks.sums, (byte) 7);

            rows.copyTo(ranks.reader, ranks.got);

            assertThat(StandIn.count("peered") - peeredBefore).isEqualTo(peered);
            assertThat(StandIn.count("downloaded") - downloaded).isEqualTo(byHost);
            assertThat(StandIn.count("uploaded") - uploaded).isEqualTo(byHost + BYTES);
            assertThat(ranks.read(ranks.reader)).containsOnly(1);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void isWrittenAgainAfterAllHaveRead(int peers) {
        StandIn.set("peers", peers);
        try (Ranks ranks = new Ranks(2)) {
            PublishedRows rows = ranks.publish(1);
            rows.expectReaders(1);
            long held = ranks.held();
            rows.copyTo(ranks.reader, ranks.got);

            PublishedRows next = ranks.publish(2);
            next.expectReaders(1);
            ranks.writer.synchronize();

            assertThat(ranks.held()).isEqualTo(held);
            assertThat(ranks.read(ranks.reader)).containsOnly(1);
            next.copyTo(ranks.reader, ranks.got);
            assertThat(ranks.read(ranks.reader)).containsOnly(2);
        }
    }

    @Test
    void isNotWrittenBeforeTheLastHasRead() {
        try (Ranks ranks = new Ranks(2);
                CudaStream third = ranks.second.stream()) {
            PublishedRows rows = ranks.publish(1);
            rows.expectReaders(2);
            rows.copyTo(ranks.reader, ranks.got);
            ranks.publish(2);
            ranks.writer.synchronize();

            rows.copyTo(third, ranks.got);

            assertThat(ranks.read(third)).containsOnly(1);
        }
    }

    @Test
    void onesThatNobodyExpectsAreUsedAgainAtOnce() {
        try (Ranks ranks = new Ranks(2)) {
            ranks.publish(1).expectReaders(0);
            long held = ranks.held();

            ranks.publish(2).expectReaders(0);

            assertThat(ranks.held()).isEqualTo(held);
        }
    }

    @Test
    void readsToTheHeapOnce() {
        try (Ranks ranks = new Ranks(2)) {
            PublishedRows rows = ranks.publish(1);
            rows.expectReaders(2);
            long downloaded = StandIn.count("downloaded");

            assertThat(rows.floats()).isEqualTo(new Floats(ROWS, COLUMNS, values(1)));
            assertThat(rows.floats()).isSameAs(rows.floats());

            assertThat(StandIn.count("downloaded") - downloaded).isEqualTo(BYTES);
            assertThat(rows.copyTo(ranks.reader, ranks.got))
                    .as("whether they are still on the device")
                    .isFalse();
        }
    }

    @Test
    void outlivesTheStreamThatWroteIt() {
        try (Ranks ranks = new Ranks(2)) {
            PublishedRows rows;
            try (CudaStream ended = ranks.first.stream()) {
                ended.fill(ranks.sums, (byte) 0);
                rows = ranks.first.exchange().publish(ended, ranks.sums, ROWS, COLUMNS);
                ended.synchronize();
            }
            ranks.publish(2);
            ranks.writer.synchronize();

            rows.copyTo(ranks.reader, ranks.got);

            assertThat(ranks.read(ranks.reader)).containsOnly(0);
        }
    }

    @Test
    void doesNotWaitForAReaderThatHasEnded() {
        try (Ranks ranks = new Ranks(2)) {
            PublishedRows rows = ranks.publish(1);
            rows.expectReaders(1);
            long held = ranks.held();
            try (CudaStream ended = ranks.second.stream()) {
                rows.copyTo(ended, ranks.got);
            }

            ranks.publish(2);
            ranks.writer.synchronize();

            assertThat(ranks.held()).isEqualTo(held);
            assertThat(ranks.read(ranks.reader)).containsOnly(1);
        }
    }

    @Test
    void takesMemoryBackWhoseRowsAreLost() {
        try (Ranks ranks = new Ranks(1)) {
            ranks.publish(1);
            PublishedRows kept = ranks.publish(2);
            long held = ranks.held();
            long most = held;

            int tries = 0;
            PublishedRows again = ranks.publish(3);
            while (ranks.held() > most && tries++ < 100) {
                most = ranks.held();
                System.gc();
                again = ranks.publish(3);
            }

            assertThat(ranks.held()).as("bytes after memory was used again").isEqualTo(most);
            again.copyTo(ranks.reader, ranks.got);
            assertThat(ranks.read(ranks.reader)).containsOnly(3);
            kept.copyTo(ranks.reader, ranks.got);
            assertThat(ranks.read(ranks.reader)).containsOnly(2);
        }
    }

    @Test
    void hasNoMoreReadersThanExpected() {
        try (Ranks ranks = new Ranks(2)) {
            PublishedRows rows = ranks.publish(1);
            rows.expectReaders(1);
            rows.copyTo(ranks.reader, ranks.got);

            assertThatIllegalStateException()
                    .isThrownBy(() -> rows.copyTo(ranks.reader, ranks.got))
                    .withMessage("f32[2, 3] has more readers than the 1 that were expected");
            assertThatIllegalStateException().isThrownBy(rows::floats);
        }
    }

    @Test
    void goesWithItsDeviceAfterWhatWasReadFromIt() {
        PublishedRows rows;
        try (Ranks ranks = new Ranks(2)) {
            rows = ranks.publish(1);
            rows.copyTo(ranks.reader, ranks.got);
        }

        assertThatIllegalStateException()
                .isThrownBy(rows::floats)
                .withMessage("the rows have gone with device 0 (Stand-in 0), which is closed");
    }

    @Test
    void aCopyFromADeviceThatIsNotReachedIsRefused() {
        try (Ranks ranks = new Ranks(2)) {
            assertThatThrownBy(() -> ranks.reader.copy(ranks.first, ranks.sums, ranks.got))
                    .isInstanceOf(CudaException.class)
                    .hasMessage("copy from device 0 (Stand-in 0) to device 1 (Stand-in 1):"
                            + " CUDA_ERROR_PEER_ACCESS_NOT_ENABLED (705), access to the other device was not enabled");

            assertThat(ranks.second.reaches(ranks.first)).isTrue();
            try (CudaDevice again = new CudaDevice(1)) {
                assertThat(again.reaches(ranks.first))
                        .as("when it is enabled already")
                        .isTrue();
            }
            ranks.reader.copy(ranks.first, ranks.sums, ranks.got);
            assertThat(ranks.read(ranks.reader))
                    .as("memory that nobody has written")
                    .containsOnly(Float.NaN);
        }
    }
}
