package dev.troupe.kernel.cuda;

import dev.troupe.kernel.CandidateQuery;
import dev.troupe.kernel.FoundCandidates;
import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.RowSearch;
import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.cuda.driver.KernelArguments;
import dev.troupe.tensor.DeviceMemory.Use;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * The candidates of draws, searched in rows of logits in the memory of the device: one copy to it, a few kernels for all rows, one copy
 * back, for which the host waits. For the thread that owns the stream.
 */
public final class CandidateSearch implements RowSearch, AutoCloseable {
    /** Columns of a row that a block looks for the best. */
    private static final int PIECE = 4096;

    /** Scores that a block sorts. */
    private static final int TILE = 2048;

    /** Ids of a span, a warp's work, times warps of a block. */
    private static final int SPANS_OF_A_BLOCK = 8 * 256;

    private static final long LEAST_RESULT_BYTES = 64 << 10;

    private final CudaStream stream;
    private final List<CudaModule> modules;
    private final CudaKernel scale;
    private final CudaKernel adjust;
    private final CudaKernel bestOfPieces;
    private final CudaKernel bestOfRows;
    private final CudaKernel firstOfTiles;
    private final CudaKernel firstOfKept;
    private final CudaKernel spanSums;
    private final UploadBuffer words;
    private final DeviceScratch scaled;
    private final DeviceScratch best;
    private final DeviceScratch reachable;
    private final DeviceScratch[] kept;
    private Arena arena = Arena.ofShared();
    private MemorySegment results = MemorySegment.NULL;
    private MemorySegment onHost = MemorySegment.NULL;

    /** Loads the kernels for the device of a stream, which does all their work. */
    public CandidateSearch(CudaStream stream) {
        this.stream = stream;
        CudaModule scaling = KernelImages.load(stream.device(), "scale_logits");
        CudaModule largest = KernelImages.load(stream.device(), "best_logits");
        CudaModule first = KernelImages.load(stream.device(), "first_logits");
        CudaModule sums = KernelImages.load(stream.device(), "span_sums");
        modules = List.of(scaling, largest, first, sums);
        scale = scaling.kernel("scale_logits");
        adjust = scaling.kernel("adjust_logits");
        bestOfPieces = largest.kernel("best_of_pieces");
        bestOfRows = largest.kernel("best_of_rows");
        firstOfTiles = first.kernel("first_of_tiles");
        firstOfKept = first.kernel("first_of_kept");
        spanSums = sums.kernel("span_sums");
        words = new UploadBuffer(stream);
        scaled = new DeviceScratch(stream);
        best = new DeviceScratch(stream);
        reachable = new DeviceScratch(stream);
        kept = new DeviceScratch[] {new DeviceScratch(stream), new DeviceScratch(stream)};
    }

    @Override
    public List<FoundCandidates> candidates(Tensor logits, int firstId, List<CandidateQuery> queries) {
        KernelShapes.requireFloats("candidates", logits, queries.size());
        if (queries.isEmpty() || logits.columns() == 0) {
            return queries.stream().map(FoundCandidates::ofNothing).toList();
        }
        QueryWords asked = new QueryWords(queries, firstId, logits.columns());
        asked.write(words.stage(asked.bytes()));
        words.upload(asked.bytes());
        reserve(asked.resultBytes());
        launch(logits, firstId, asked);
        MemorySegment host = onHost.asSlice(0, asked.resultBytes());
        stream.download(results.asSlice(0, asked.resultBytes()), host);
        stream.synchronize();
        return asked.read(host);
    }

    private void launch(Tensor logits, int firstId, QueryWords asked) {
        int rows = asked.rows();
        int n = logits.columns();
        MemorySegment scores = asked.scales() ? scaled.atLeast(4L * rows * n) : logits.memory();
        if (asked.scales()) {
            common(logits, scores).number(n).number(firstId);
            stream.launch(scale, Math.ceilDiv(n, scale.threads()), rows, 0);
        }
        if (asked.mostAdjusted() > 0) {
            common(logits, scores).number(n).number(firstId);
            stream.launch(adjust, Math.ceilDiv(asked.mostAdjusted(), adjust.threads()), rows, 0);
        }
        best(logits, scores, firstId, rows);
        if (asked.sumsSpans()) {
            common(logits, scores).number(n).number(firstId);
            stream.launch(spanSums, Math.ceilDiv(n, SPANS_OF_A_BLOCK), rows, 2, 0);
        }
        if (asked.lists() > 0) {
            first(logits, scores, firstId, asked);
        }
    }

    /** The four pointers that most of the kernels begin with. */
    private KernelArguments common(Tensor logits, MemorySegment scores) {
        return stream.arguments()
                .pointer(logits.memory())
                .pointer(scores)
                .pointer(words.device())
                .pointer(results);
    }

    private void best(Tensor logits, MemorySegment scores, int firstId, int rows) {
        int n = logits.columns();
        int pieces = Math.ceilDiv(n, PIECE);
        long ranks = 8L * rows * pieces;
        MemorySegment both = best.atLeast(ranks + ranks / 2);
        MemorySegment infinite = both.asSlice(ranks, ranks / 2);
        stream.arguments()
                .pointer(logits.memory())
                .pointer(scores)
                .pointer(words.device())
                .pointer(both)
                .pointer(infinite)
                .number(n)
                .number(firstId);
        stream.launch(bestOfPieces, pieces, rows, 0);
        stream.arguments()
                .pointer(logits.memory())
                .pointer(words.device())
                .pointer(both)
                .pointer(infinite)
                .pointer(results)
                .number(n)
                .number(firstId)
                .number(pieces);
        stream.launch(bestOfRows, rows, 1, 0);
    }

    private void first(Tensor logits, MemorySegment scores, int firstId, QueryWords asked) {
        int n = logits.columns();
        int keep = asked.keep();
        int pieces = Math.ceilDiv(n, TILE);
        MemorySegment counts = reachable.atLeast(4L * asked.lists() * pieces);
        MemorySegment from = kept[0].atLeast(8L * asked.lists() * pieces * keep);
        stream.arguments()
                .pointer(logits.memory())
                .pointer(scores)
                .pointer(words.device())
                .pointer(results)
                .pointer(from)
                .pointer(counts)
                .number(n)
                .number(firstId)
                .number(keep);
        stream.launch(firstOfTiles, pieces, asked.lists(), 0);
        int count = pieces * keep;
        for (int level = 1; count > 0; level++) {
            int tiles = Math.ceilDiv(count, TILE);
            MemorySegment to = kept[level % 2].atLeast(8L * asked.lists() * tiles * keep);
            stream.arguments()
                    .pointer(logits.memory())
                    .pointer(words.device())
                    .pointer(from)
                    .pointer(to)
                    .pointer(counts)
                    .pointer(results)
                    .number(n)
                    .number(firstId)
                    .number(keep)
                    .number(count)
                    .number(pieces);
            stream.launch(firstOfKept, tiles, asked.lists(), 0);
            count = tiles == 1 ? 0 : tiles * keep;
            from = to;
        }
    }

    private void reserve(long bytes) {
        if (bytes > results.byteSize()) {
            stream.synchronize();
            arena.close();
            arena = Arena.ofShared();
            long size = Math.max(LEAST_RESULT_BYTES, bytes);
            results = stream.device().memory().allocate(arena, Use.WORKSPACE, size);
            onHost = stream.device().pinned(arena, size);
        }
    }

    /** Waits for the stream and gives everything back. */
    @Override
    public void close() {
        words.close();
        List.of(scaled, best, reachable, kept[0], kept[1]).forEach(DeviceScratch::close);
        arena.close();
        modules.forEach(CudaModule::close);
    }
}
