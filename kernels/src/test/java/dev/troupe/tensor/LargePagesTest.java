package dev.troupe.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** Memory in large pages behaves like any other. */
final class LargePagesTest {
    private static final long MIB = 1 << 20;

    @Test
    void givesZeroedAlignedMemoryOfExactlyTheSizeAskedFor() {
        for (long bytes : new long[] {1, 4096, 2 * MIB - 1, 2 * MIB, 2 * MIB + 64, 9 * MIB + 13}) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment memory = LargePages.allocate(arena, bytes, 64);
                assertThat(memory.byteSize()).isEqualTo(bytes);
                assertThat(memory.address() % 64).isZero();
                assertThat(memory.mismatch(arena.allocate(bytes))).isEqualTo(-1);
                memory.fill((byte) 7);
                assertThat(memory.get(ValueLayout.JAVA_BYTE, bytes - 1)).isEqualTo((byte) 7);
            }
        }
    }

    @Test
    void givesPiecesThatDoNotOverlap() {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment first = LargePages.allocate(arena, 5 * MIB, 64);
            MemorySegment second = LargePages.allocate(arena, 5 * MIB, 64);
            first.fill((byte) 1);
            second.fill((byte) 2);
            assertThat(first.get(ValueLayout.JAVA_BYTE, 5 * MIB - 1)).isEqualTo((byte) 1);
            assertThat(first.asOverlappingSlice(second)).isEmpty();
        }
    }

    @Test
    void endsWithItsArena() {
        Arena arena = Arena.ofConfined();
        MemorySegment memory = LargePages.allocate(arena, 4 * MIB, 64);
        arena.close();
        assertThatThrownBy(() -> memory.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void takesNoRealMemoryBeforeItIsWritten() throws IOException {
        Path status = Path.of("/proc/self/statm");
        Assumptions.assumeTrue(Files.isReadable(status), "no /proc here");
        try (Arena arena = Arena.ofConfined()) {
            long before = residentPages(status);
            MemorySegment memory = LargePages.allocate(arena, 1024 * MIB, 64);
            assertThat(residentPages(status) - before).isLessThan(512 * MIB / 4096);
            memory.asSlice(0, 1024 * MIB).fill((byte) 1);
            assertThat(residentPages(status) - before).isGreaterThan(900 * MIB / 4096);
        }
        assertThat(residentPages(status)).isPositive();
    }

    private static long residentPages(Path status) throws IOException {
        return Long.parseLong(Files.readString(status).split(" ", -1)[1]);
    }
}
