package dev.troupe.kernel.reference;

import dev.troupe.kernel.quantised.StoredBlocks;
import dev.troupe.kernel.quantised.WeightBlock;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Embedding look-up: the value that a stored weight stands for (NUMERICS rule 1). */
final class ReferenceEmbedding {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private ReferenceEmbedding() {}

    /** Row {@code id} of the table to row {@code token} of y. */
    static void row(Tensor table, int id, Tensor y, int token) {
        long rowBytes = table.type().rowBytes(table.columns());
        MemorySegment row = table.memory().asSlice(id * rowBytes, rowBytes);
        if (table.type().quantised()) {
            blocks(table, row, y, token);
            return;
        }
        for (int k = 0; k < table.columns(); k++) {
            float value = switch (table.type()) {
                case F32 -> row.get(FLOAT, 4L * k);
                case BF16 -> ReferenceProduct.bfloat(row.get(SHORT, 2L * k));
                case F16 -> Float.float16ToFloat(row.get(SHORT, 2L * k));
                default -> throw new IllegalArgumentException("%s has blocks".formatted(table));
            };
            y.set(token, k, value);
        }
    }

    private static void blocks(Tensor table, MemorySegment row, Tensor y, int token) {
        WeightBlock block = new WeightBlock(table.type());
        for (int k = 0; k < table.columns(); k += 32) {
            StoredBlocks.read(row, k / 32, block);
            for (int i = 0; i < 32; i++) {
                y.set(token, k + i, block.value(i));
            }
        }
    }
}
