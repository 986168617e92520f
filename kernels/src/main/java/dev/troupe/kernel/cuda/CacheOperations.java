package dev.troupe.kernel.cuda;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.NumericsId;
import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.cuda.driver.KernelArguments;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The cache's writer and attention over it. Stores, tensors and flags lie in the memory of the device. For the thread that owns the
 * stream.
 */
public final class CacheOperations implements AutoCloseable {
    /** Bytes of spans' results that wait to be merged, unless one token alone needs more. */
    private static final long MOST_RESULTS = 64 << 20;

    /** Rows up to which a device is filled only if every span has a block of its own; more share loads of keys and values. */
    private static final int MOST_ROWS_BY_SPANS = 64;

    /** Query heads times tokens that a block of the tiled kernel takes. */
    private static final int TILE_ROWS = 16;

    /** Elements of a head that attention's shared memory is for. */
    private static final int MOST_HEAD_DIM = 256;

    private static final int[] HEADS_OF_A_BLOCK = {1, 4, 8};

    private static final int SPAN = NumericsId.SPAN;

    private final CudaStream stream;
    private final long mostResults;
    private final int mostRowsBySpans;
    private final CudaModule storeModule;
    private final CudaModule attentionModule;
    private final CudaModule tilesModule;

    private final Map<KvType, CudaKernel> store;

    /** As {@link #HEADS_OF_A_BLOCK}. */
    private final List<Map<KvType, CudaKernel>> attendSpans;

    private final Map<KvType, CudaKernel> attendTiles;
    private final CudaKernel mergeSpans;
    private final DeviceScratch results;

    /** Loads the kernels for the device of a stream, which does all their work. */
    public CacheOperations(CudaStream stream) {
        this(stream, MOST_RESULTS, MOST_ROWS_BY_SPANS);
    }

    /** With other limits. */
    CacheOperations(CudaStream stream, long mostResults, int mostRowsBySpans) {
        this.stream = stream;
        this.results = new DeviceScratch(stream);
        this.mostResults = mostResults;
        this.mostRowsBySpans = mostRowsBySpans;
        storeModule = KernelImages.load(stream.device(), "store_kv");
        attentionModule = KernelImages.load(stream.device(), "attention");
        tilesModule = KernelImages.load(stream.device(), "attention_tiles");
        store = byType(storeModule, "store_kv_", "");
        attendSpans = Arrays.stream(HEADS_OF_A_BLOCK)
                .mapToObj(heads -> byType(attentionModule, "attend_spans_", "_" + heads))
                .toList();
        attendTiles = byType(tilesModule, "attend_tiles_", "");
        mergeSpans = attentionModule.kernel("merge_spans");
    }

    private static Map<KvType, CudaKernel> byType(CudaModule module, String before, String after) {
        Map<KvType, CudaKernel> kernels = new EnumMap<>(KvType.class);
        for (KvType type : KvType.values()) {
            kernels.put(type, module.kernel(before + type.label() + after));
        }
        return kernels;
    }

    /**
     * Writes the keys and values of the batch to their cache blocks, rounded to the cache's type.
     *
     * @param layer layer of the store
     * @param qkv {@code [tokens, (heads + 2 · kvHeads) · headDim]}: queries, keys, values
     * @param failed an int for every token, set to 1 where a value is not finite in the cache's type
     */
    public void storeKv(KvStore cache, int layer, Tensor qkv, DeviceBatch batch, MemorySegment failed) {
        int perGroup = KernelShapes.requireKv("storeKv", cache, layer, qkv, batch.host(), 0);
        TokenOperations.requireFlags("storeKv", failed, batch.host().tokens());
        CudaKernel kernel = Objects.requireNonNull(store.get(cache.type()));
        StepRows rows = batch.rows();
        stream.arguments()
                .pointer(cache.keys(layer))
                .pointer(cache.values(layer))
                .pointer(qkv.memory())
                .pointer(batch.positions())
                .pointer(batch.firstBlocks())
                .pointer(batch.blockTables())
                .pointer(failed)
                .pointer(rows.count())
                .number(qkv.columns())
                .number(perGroup * cache.kvHeads())
                .number(cache.kvHeads())
                .number(cache.headDim())
                .number(cache.paddedHeadDim())
                .number(cache.blockSize());
        int elements = Math.multiplyExact(cache.kvHeads(), cache.headDim());
        stream.launch(kernel, (elements + kernel.threads() - 1) / kernel.threads(), rows.bucket(), 0);
    }

    /**
     * Causal attention over the cache, NUMERICS rule 6. The batch's own keys and values were stored before. Work that is noted serves
     * every batch of the same bucket with as many {@link DeviceBatch#spans}; the same must have run once before, which takes memory.
     *
     * @param qkv as for {@link #storeKv}
     * @param window visible tokens, itself included; 0 for all
     * @param y {@code [tokens, heads · headDim]}
     */
    public void attention(KvStore cache, int layer, Tensor qkv, float scale, int window, DeviceBatch batch, Tensor y) {
        int lookback = window == 0 ? Integer.MAX_VALUE : window - 1;
        int perGroup = KernelShapes.requireKv("attention", cache, layer, qkv, batch.host(), lookback);
        int heads = perGroup * cache.kvHeads();
        KernelShapes.requireHeads(
                "attention", y, 0, heads, cache.headDim(), batch.host().tokens());
        if (cache.headDim() > MOST_HEAD_DIM) {
            throw new IllegalArgumentException(
                    "attention: headDim = %d, expected at most %d on a GPU".formatted(cache.headDim(), MOST_HEAD_DIM));
        }
        Call call = new Call(cache, layer, qkv, scale, lookback, batch, perGroup, y);
        if (batch.rows().bucket() > mostRowsBySpans) {
            attendTiles(call);
        } else {
            attendAndMerge(call);
        }
    }

    /** What one call of attention is about. */
    private record Call(
            KvStore cache,
            int layer,
            Tensor qkv,
            float scale,
            int lookback,
            DeviceBatch batch,
            int perGroup,
            Tensor y) {
        int bucket() {
            return batch.rows().bucket();
        }

        /** The arguments that both ways begin with, {@code to} the last of the pointers. */
        KernelArguments begin(KernelArguments arguments, MemorySegment to) {
            return arguments
                    .pointer(cache.keys(layer))
                    .pointer(cache.values(layer))
                    .pointer(qkv.memory())
                    .pointer(batch.positions())
                    .pointer(batch.firstBlocks())
                    .pointer(batch.blockTables())
                    .pointer(batch.rows().count())
                    .pointer(to)
                    .number(qkv.columns())
                    .number(cache.kvHeads())
                    .number(perGroup)
                    .number(cache.headDim())
                    .number(cache.paddedHeadDim())
                    .number(cache.blockSize())
                    .number(lookback);
        }
    }

    private void attendAndMerge(Call call) {
        KvStore cache = call.cache();
        DeviceBatch batch = call.batch();
        int heads = call.perGroup() * cache.kvHeads();
        int spans = call.lookback() == Integer.MAX_VALUE
                ? batch.spans()
                : Math.min(batch.spans(), (int) ((call.lookback() + SPAN - 1L) / SPAN + 1));
        long tokenBytes = 4L * heads * spans * (cache.headDim() + 2);
        int tokens = Math.clamp(mostResults / tokenBytes, 1, call.bucket());
        MemorySegment waiting = results.atLeast(tokens * tokenBytes);
        for (int first = 0; first < call.bucket(); first += tokens) {
            int count = Math.min(tokens, call.bucket() - first);
            attendSpans(call, waiting, first, count, spans);
            stream.arguments()
                    .pointer(waiting)
                    .pointer(call.y().memory())
                    .pointer(batch.positions())
                    .pointer(batch.rows().count())
                    .number(call.y().columns())
                    .number(heads)
                    .number(cache.headDim())
                    .number(call.lookback())
                    .number(first)
                    .number(spans);
            stream.launch(mergeSpans, heads, count, 0);
        }
    }

    private void attendSpans(Call call, MemorySegment to, int first, int count, int spans) {
        int choice = 0;
        while (choice + 1 < HEADS_OF_A_BLOCK.length && HEADS_OF_A_BLOCK[choice] < call.perGroup()) {
            choice++;
        }
        int tiles = Math.ceilDiv(call.perGroup(), HEADS_OF_A_BLOCK[choice]);
        call.begin(stream.arguments(), to).number(first).number(spans).number(call.scale());
        CudaKernel kernel =
                Objects.requireNonNull(attendSpans.get(choice).get(call.cache().type()));
        stream.launch(kernel, spans, call.cache().kvHeads() * tiles, count, 0);
    }

    private void attendTiles(Call call) {
        call.begin(stream.arguments(), call.y().memory())
                .number(call.y().columns())
                .number(call.scale());
        int heads = Math.min(call.perGroup(), TILE_ROWS);
        int tiles = Math.ceilDiv(call.bucket(), TILE_ROWS / heads);
        int parts = Math.ceilDiv(call.perGroup(), heads);
        CudaKernel kernel = Objects.requireNonNull(attendTiles.get(call.cache().type()));
        stream.launch(kernel, tiles, call.cache().kvHeads() * parts, 0);
    }

    /** Waits for the stream and gives everything back. */
    @Override
    public void close() {
        results.close();
        attentionModule.close();
        tilesModule.close();
        storeModule.close();
    }
}
