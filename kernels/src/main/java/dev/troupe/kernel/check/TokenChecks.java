package dev.troupe.kernel.check;

import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** The checks of embeddings, of the rotation, and of memory itself. */
final class TokenChecks {
    private TokenChecks() {}

    static void embed(Cases cases, DType type) {
        Tensor table = cases.weights(type, 9, 768, 0.05f);
        for (int[] ids : new int[][] {{8}, {8, 0, 3}, {5, 5, 7, 1}}) {
            int[] positions = new int[ids.length];
            for (int t = 0; t < ids.length; t++) {
                positions[t] = t;
            }
            TokenBatch batch = new TokenBatch(ids, positions, new int[ids.length], new int[1][1]);
            Twin y = cases.floats(5, 768);
            cases.plain().embed(table, batch, y.plain());
            cases.tested().embed(table, batch, y.tested());
            cases.compare("%d tokens".formatted(ids.length), y);
        }
    }

    /** Tokens of two sequences, heads that do not begin with the row. */
    static void rope(Cases cases) {
        TokenBatch batch =
                new TokenBatch(new int[3], new int[] {3, 9, 10}, new int[] {0, 1, 1}, new int[][] {{0}, {0}});
        for (int headDim : new int[] {2, 16, 24, 80, 96, 128, 256}) {
            Twin x = cases.floats(4, 3 + 4 * headDim);
            Twin cosines = cases.floats(11, headDim / 2);
            Twin sines = cases.floats(11, headDim / 2);
            cases.plain().rope(x.plain(), 3, 3, headDim, new RopeTable(cosines.plain(), sines.plain()), batch);
            cases.tested().rope(x.tested(), 3, 3, headDim, new RopeTable(cosines.tested(), sines.tested()), batch);
            cases.compare("heads of %d".formatted(headDim), x);
        }
    }

    /** What is allocated is zeros, and what is written is read, also beyond what is copied at once. */
    static void memory(Cases cases) {
        DeviceMemory memory = cases.tested().memory();
        for (int bytes : new int[] {4, 1028, (4 << 20) + 4, (9 << 20) + 12}) {
            MemorySegment device = memory.allocate(cases.arena(), bytes, DeviceMemory.Use.WORKSPACE);
            cases.compareMemory(
                    "%d new bytes".formatted(bytes), bytes, cases.arena().allocate(bytes, 64), device);
            byte[] random = new byte[bytes];
            cases.random().nextBytes(random);
            memory.write(device, MemorySegment.ofArray(random));
            cases.compareMemory("%d bytes".formatted(bytes), bytes, MemorySegment.ofArray(random), device);
        }
    }
}
