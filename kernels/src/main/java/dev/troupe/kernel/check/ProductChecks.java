package dev.troupe.kernel.check;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The checks of matrix products. */
final class ProductChecks {
    /** Not a multiple of 32, so that the last group has rows that are padding. */
    private static final int ROWS = 75;

    /** A device has kernels of its own for one, for some and for many. */
    private static final int[] TOKENS = {1, 9, 67};

    private static final float USUAL = 0.05f;

    /** Such that scales of f16 are subnormal. */
    private static final float TINY = 3e-4f;

    private ProductChecks() {}

    /** Products of one type with and without a bias, of one token and of several. */
    static void matmul(Cases cases, DType type, SelfTest.Extent extent) {
        int columns = type.quantised() ? 512 : 301;
        for (int tokens : TOKENS) {
            matmul(cases, type, ROWS, columns, USUAL, tokens);
        }
        matmul(cases, type, ROWS, columns, TINY, 3);
        if (extent == SelfTest.Extent.FULL) {
            for (int tokens : new int[] {1, 4, 70}) {
                matmul(cases, type, 1100, 4096, USUAL, tokens);
            }
        }
    }

    private static void matmul(Cases cases, DType type, int rows, int columns, float spread, int tokens) {
        PackedMatrix w = MatrixPacker.pack(cases.arena(), cases.weights(type, rows, columns, spread));
        Twin x = cases.floats(tokens + 1, columns);
        Twin bias = tokens == 9 ? null : cases.floats(1, rows);
        Twin y = cases.floats(tokens + 1, rows);
        cases.plain().matmul(w, plain(bias), x.plain(), tokens, y.plain());
        cases.tested().matmul(cases.placed(w), tested(bias), x.tested(), tokens, y.tested());
        cases.compare("[%d, %d], %d tokens".formatted(rows, columns, tokens), y);
    }

    private static @Nullable Tensor plain(@Nullable Twin twin) {
        return twin == null ? null : twin.plain();
    }

    private static @Nullable Tensor tested(@Nullable Twin twin) {
        return twin == null ? null : twin.tested();
    }

    /** Parts of several types below each other. */
    static void stacked(Cases cases) {
        StackedMatrix w = new StackedMatrix(List.of(
                MatrixPacker.pack(cases.arena(), cases.weights(DType.Q4_K, 40, 256, USUAL)),
                MatrixPacker.pack(cases.arena(), cases.weights(DType.BF16, 33, 256, USUAL)),
                MatrixPacker.pack(cases.arena(), cases.weights(DType.Q6_K, 64, 256, USUAL))));
        StackedMatrix placed =
                new StackedMatrix(w.parts().stream().map(cases::placed).toList());
        for (int tokens : TOKENS) {
            Twin x = cases.floats(tokens, 256);
            Twin bias = cases.floats(1, w.rows());
            Twin y = cases.floats(tokens, w.rows());
            cases.plain().matmul(w, bias.plain(), x.plain(), tokens, y.plain());
            cases.tested().matmul(placed, bias.tested(), x.tested(), tokens, y.tested());
            cases.compare("%d tokens".formatted(tokens), y);
        }
    }

    /** Row-parallel products: chunks that cut weight blocks, empty chunks, one rank of several, all of them. */
    static void matmulChunks(Cases cases, DType type, SelfTest.Extent extent) {
        ReductionChunks cutting = ReductionChunks.attention(16, 4, 80);
        chunks(cases, type, cutting, 1, 4, ROWS, 3);
        chunks(cases, type, cutting, 0, 4, ROWS, 37);
        chunks(cases, type, ReductionChunks.feedForward(6, 3, type.blockSize() > 32 ? 256 : 96), 0, 2, ROWS, 1);
        if (extent == SelfTest.Extent.FULL) {
            for (int tokens : TOKENS) {
                chunks(cases, type, ReductionChunks.attention(32, 8, 128), 0, 8, 300, tokens);
            }
        }
    }

    private static void chunks(
            Cases cases, DType type, ReductionChunks chunks, int fromGroup, int toGroup, int rows, int tokens) {
        Tensor matrix = cases.weights(type, rows, chunks.groupStart(chunks.groups()), USUAL);
        ChunkedMatrix w = MatrixPacker.packChunks(cases.arena(), matrix, chunks, fromGroup, toGroup);
        ChunkedMatrix placed = w.placed(cases.tested().memory(), cases.arena());
        Twin x = cases.floats(tokens, chunks.columns(fromGroup, toGroup));
        Twin[] sums = IntStream.range(0, w.nodes().size())
                .mapToObj(_ -> cases.floats(tokens, rows))
                .toArray(Twin[]::new);
        Tensor[] plain = Arrays.stream(sums).map(Twin::plain).toArray(Tensor[]::new);
        Tensor[] tested = Arrays.stream(sums).map(Twin::tested).toArray(Tensor[]::new);
        cases.plain().matmulChunks(w, x.plain(), tokens, plain);
        cases.tested().matmulChunks(placed, x.tested(), tokens, tested);
        for (int n = 0; n < sums.length; n++) {
            cases.compare(
                    "groups %d to %d of %d, %d tokens, node %d"
                            .formatted(fromGroup, toGroup, chunks.groups(), tokens, n),
                    sums[n]);
        }
    }
}
