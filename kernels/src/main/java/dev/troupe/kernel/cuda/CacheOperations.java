package dev.troupe.kernel.cuda;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;

/** Keys and values of a step to the cache. Stores, tensors and flags lie in the memory of the device. For the thread that owns the stream. */
public final class CacheOperations implements AutoCloseable {
    private final CudaStream stream;
    private final CudaModule storeModule;
    private final Map<KvType, CudaKernel> store = new EnumMap<>(KvType.class);

    /** Loads the kernels for the device of a stream, which does all their work. */
    public CacheOperations(CudaStream stream) {
        this.stream = stream;
        storeModule = KernelImages.load(stream.device(), "store_kv");
        for (KvType type : KvType.values()) {
            store.put(type, storeModule.kernel("store_kv_" + type.label()));
        }
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
        CudaKernel kernel = store.get(cache.type());
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

    /** Gives the kernels back. */
    @Override
    public void close() {
        storeModule.close();
    }
}
