package dev.troupe.kernel.quantised;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kernel.Samples;
import dev.troupe.kernel.StoredElements;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Stored blocks stand for the values that ggml gives them. The fixtures are a tensor [4, 512] of each type, made with
 * gguf-py, whose values are those of ggml's own functions.
 */
class StoredBlocksTest {
    private static final int ROWS = 4;
    private static final int COLUMNS = 512;

    private final Arena arena = Arena.ofAuto();

    @ParameterizedTest
    @EnumSource
    void standForTheValuesOfGgml(PackedFormat format) throws IOException {
        byte[] stored = resource(format, "blocks");
        FloatBuffer expected = ByteBuffer.wrap(resource(format, "values"))
                .order(ByteOrder.LITTLE_ENDIAN)
                .asFloatBuffer();
        int rowBytes = stored.length / ROWS;
        WeightBlock block = new WeightBlock(format.type());

        assertThat((long) rowBytes).isEqualTo(format.type().rowBytes(COLUMNS));
        for (int i = 0; i < ROWS * COLUMNS; i++) {
            MemorySegment row = MemorySegment.ofArray(stored).asSlice((long) i / COLUMNS * rowBytes, rowBytes);
            StoredBlocks.read(row, i % COLUMNS / 32, block);
            assertThat(Float.floatToRawIntBits(block.value(i % 32)))
                    .as("element %d", i)
                    .isEqualTo(Float.floatToRawIntBits(expected.get(i)));
        }
    }

    private static byte[] resource(PackedFormat format, String what) throws IOException {
        String name = "/quants/%s.%s.bin".formatted(format.type().label(), what);
        try (InputStream in = Objects.requireNonNull(StoredBlocksTest.class.getResourceAsStream(name), name)) {
            return in.readAllBytes();
        }
    }

    @ParameterizedTest
    @EnumSource
    void haveTheParts(PackedFormat format) {
        Tensor tensor = Samples.weights(arena, format.type(), 3, 1024, new Random(5));
        long rowBytes = format.type().rowBytes(1024);
        WeightBlock block = new WeightBlock(format.type());

        for (int i = 0; i < 3 * 1024; i++) {
            int column = i % 1024;
            StoredBlocks.read(tensor.memory().asSlice(i / 1024 * rowBytes, rowBytes), column / 32, block);
            StoredElements expected = StoredElements.at(tensor, i / 1024, column);
            int half = column % 32 / 16;
            assertThat(block.d()).isEqualTo(expected.d());
            assertThat(block.scale(half)).isEqualTo(expected.scale());
            assertThat(block.weight(column % 32)).isEqualTo(expected.q());
            if (block.offset()) {
                assertThat(block.b()).isEqualTo(expected.b());
                assertThat(block.min(half)).isEqualTo(expected.min());
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void comeBackFromThePackedLayout(PackedFormat format) {
        Tensor tensor = Samples.weights(arena, format.type(), 32, 256, new Random(6));
        long rowBytes = format.type().rowBytes(256);
        WeightBlock in = new WeightBlock(format.type());
        WeightBlock out = new WeightBlock(format.type());
        MemorySegment packed = arena.allocate(format.groupBytes(8, 1));

        for (int row = 0; row < 32; row++) {
            for (int piece = 0; piece < 8; piece++) {
                StoredBlocks.read(tensor.memory().asSlice(row * rowBytes, rowBytes), piece, in);
                PackedBlocks.write(in, packed, format.scaleOffset(piece, 0, 0), format.pieceOffset(piece, 0), row);
            }
        }

        for (int row = 0; row < 32; row++) {
            for (int piece = 0; piece < 8; piece++) {
                StoredBlocks.read(tensor.memory().asSlice(row * rowBytes, rowBytes), piece, in);
                PackedBlocks.read(packed, format.scaleOffset(piece, 0, 0), format.pieceOffset(piece, 0), row, out);
                for (int k = 0; k < 32; k++) {
                    assertThat(out.weight(k)).isEqualTo(in.weight(k));
                    assertThat(Float.floatToRawIntBits(out.value(k))).isEqualTo(Float.floatToRawIntBits(in.value(k)));
                }
            }
        }
    }

    @Test
    void readsEveryExponentOfMxfp4() {
        WeightBlock block = new WeightBlock(DType.MXFP4);
        MemorySegment row = arena.allocate(17);
        row.set(ValueLayout.JAVA_BYTE, 1, (byte) 2);

        for (int e = 0; e < 255; e++) {
            row.set(ValueLayout.JAVA_BYTE, 0, (byte) e);
            StoredBlocks.read(row, 0, block);
            assertThat(block.d()).isEqualTo((float) Math.pow(2, e - 128));
            assertThat(block.value(0)).isEqualTo((float) Math.pow(2, e - 127));
            assertThat(block.finite()).isTrue();
        }
        row.set(ValueLayout.JAVA_BYTE, 0, (byte) 255);
        StoredBlocks.read(row, 0, block);
        assertThat(block.finite()).isFalse();
    }

    @Test
    void refusesATypeWithoutBlocks() {
        assertThatThrownBy(() -> new WeightBlock(DType.BF16)).hasMessage("bf16 is no block-quantised type");
    }
}
