package dev.troupe.kernel;

import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.List;

/**
 * Small runs of every operation that make the JIT compile the kernels, about half a second each, before the first request
 * needs them; for example while weights load.
 */
public final class WarmUp {
    /** Enough calls of a loop for the optimising compiler. */
    private static final int ROUNDS = 800;

    private static final int ROWS = 512;
    /** Whole blocks of every type. */
    private static final int COLUMNS = 256;

    private static final int HEAD_DIM = 16;

    /** One token at a time, and a chunk of a prompt. */
    private static final int[] TOKENS = {1, 9};

    private final Kernels kernels;
    private final Arena arena;
    private final Tensor x;
    private final Tensor y;
    private final Tensor w;
    private final Tensor twoHeads;
    private final Tensor oneHead;
    private final Tensor wide;
    private final RopeTable table;
    private final KvStore store;

    private WarmUp(Kernels kernels, KvStore store, Arena arena) {
        this.kernels = kernels;
        this.arena = arena;
        this.x = Tensor.floats(arena, 9, COLUMNS);
        this.y = Tensor.floats(arena, 9, ROWS);
        this.w = Tensor.floats(arena, 1, COLUMNS);
        this.twoHeads = Tensor.floats(arena, 9, 4 * HEAD_DIM);
        this.oneHead = Tensor.floats(arena, 9, 3 * HEAD_DIM);
        this.wide = Tensor.floats(arena, 9, 2 * ROWS);
        this.table = new RopeTable(Tensor.floats(arena, 9, HEAD_DIM / 2), Tensor.floats(arena, 9, HEAD_DIM / 2));
        this.store = store;
    }

    /**
     * Runs every operation until it is surely compiled or the time is over.
     *
     * @param weights type of the model's matrices
     * @param budget most time to spend
     */
    public static void run(Kernels kernels, DType weights, KvType cache, Duration budget) {
        long end = System.nanoTime() + budget.toNanos();
        try (Arena arena = Arena.ofConfined()) {
            try (KvStore store = new KvStore(cache, 1, 1, HEAD_DIM, 16, 1)) {
                WarmUp warmUp = new WarmUp(kernels, store, arena);
                PackedMatrix matrix = warmUp.matrix(weights);
                ChunkedMatrix chunks = new ChunkedMatrix(1, 1, 0, List.of(matrix));
                for (int round = 0; round < ROUNDS && System.nanoTime() < end; round++) {
                    warmUp.round(matrix, chunks, TOKENS[round % TOKENS.length]);
                }
            }
        }
    }

    private PackedMatrix matrix(DType type) {
        Tensor zeros = new Tensor(
                type, ROWS, COLUMNS, arena.allocate(Math.multiplyExact(type.rowBytes(COLUMNS), (long) ROWS)));
        return MatrixPacker.pack(arena, zeros);
    }

    private void round(PackedMatrix matrix, ChunkedMatrix chunks, int tokens) {
        int[] positions = new int[tokens];
        for (int t = 0; t < tokens; t++) {
            positions[t] = t;
        }
        TokenBatch batch = new TokenBatch(new int[tokens], positions, new int[tokens], new int[][] {{0}});
        TokenFlags failed = TokenFlags.onHost();
        kernels.embed(x, batch, x);
        kernels.rmsNorm(x, w, 1e-5f, tokens, x);
        kernels.addRmsNorm(x, x, w, 1e-5f, tokens, x);
        kernels.rope(x, 0, 1, HEAD_DIM, table, batch);
        kernels.storeKv(store, 0, twoHeads, batch, failed);
        kernels.attention(store, 0, twoHeads, 1f, 0, batch, y);
        kernels.attention(store, 0, oneHead, 1f, 0, batch, y);
        kernels.matmul(matrix, null, x, tokens, y);
        kernels.matmulChunks(chunks, x, tokens, new Tensor[] {y});
        kernels.swiglu(wide, tokens, y);
        kernels.add(x, x, tokens);
        kernels.addBias(x, w, tokens);
        kernels.softmax(x, tokens, x);
        kernels.argmax(x, tokens, new int[tokens]);
        kernels.topK(x, 0, new int[8]);
        kernels.markNonFinite(x, tokens, failed);
    }
}
