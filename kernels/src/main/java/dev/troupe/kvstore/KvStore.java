package dev.troupe.kvstore;

import dev.troupe.tensor.DeviceMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * One rank's keys and values for its own layers and KV heads, in fixed blocks that the scheduler hands out.
 *
 * <p>Keys of a layer are {@code [blocks][kvHeads][headDim][blockSize]}: lanes are tokens. Values are
 * {@code [blocks][kvHeads][blockSize][paddedHeadDim]}: lanes are head elements; the padding up to a multiple of 16 is
 * never summed into a result. The layers' keys lie one behind the other, and so do their values, so that the same block of all layers is
 * rows of memory with one stride ({@link #keysOfBlock}).
 */
public final class KvStore implements AutoCloseable {
    /** Block sizes that kernels accept, in tokens; they divide the span of 128 of NUMERICS rule 6. */
    public static final List<Integer> BLOCK_SIZES = List.of(16, 32, 64, 128);

    /** Bytes behind each layer that a kernel may read, and the alignment of its first. */
    private static final long PADDING = 64;

    private final KvType type;
    private final int layers;
    private final int kvHeads;
    private final int headDim;
    private final int blockSize;
    private final int blocks;
    private final Arena arena;
    private final MemorySegment allKeys;
    private final MemorySegment allValues;
    private final MemorySegment[] keys;
    private final MemorySegment[] values;

    /**
     * Allocates the store.
     *
     * @param memory of the kernels that use it
     * @throws IllegalArgumentException for a block size that is not one of {@link #BLOCK_SIZES}
     * @throws RuntimeException if the memory has no room
     */
    public KvStore(DeviceMemory memory, KvType type, int layers, int kvHeads, int headDim, int blockSize, int blocks) {
        if (!BLOCK_SIZES.contains(blockSize)) {
            throw new IllegalArgumentException(
                    "kv block-size = %d tokens does not work; these do: %s".formatted(blockSize, BLOCK_SIZES));
        }
        this.type = type;
        this.layers = layers;
        this.kvHeads = kvHeads;
        this.headDim = headDim;
        this.blockSize = blockSize;
        this.blocks = blocks;
        this.arena = Arena.ofShared();
        boolean made = false;
        try {
            this.allKeys = allocate(memory, keyLayerStride());
            this.allValues = allocate(memory, valueLayerStride());
            made = true;
        } finally {
            if (!made) {
                arena.close();
            }
        }
        this.keys = byLayer(allKeys, keyLayerStride(), keyBlockBytes());
        this.values = byLayer(allValues, valueLayerStride(), valueBlockBytes());
    }

    /** A store of kernels that run on the host. */
    public KvStore(KvType type, int layers, int kvHeads, int headDim, int blockSize, int blocks) {
        this(DeviceMemory.host(), type, layers, kvHeads, headDim, blockSize, blocks);
    }

    private MemorySegment allocate(DeviceMemory memory, long layerStride) {
        return memory.allocate(arena, Math.multiplyExact(layerStride, (long) layers), DeviceMemory.Use.KEYS_AND_VALUES);
    }

    private MemorySegment[] byLayer(MemorySegment all, long layerStride, long blockBytes) {
        MemorySegment[] slices = new MemorySegment[layers];
        Arrays.setAll(slices, layer -> all.asSlice(layer * layerStride, blockBytes * blocks + PADDING));
        return slices;
    }

    private long layerStride(long blockBytes) {
        return (Math.multiplyExact(blockBytes, (long) blocks) + 2 * PADDING - 1) / PADDING * PADDING;
    }

    /** About how many bytes of memory a store of this size takes. */
    public static long bytes(KvType type, int layers, int kvHeads, int headDim, int blockSize, int blocks) {
        long tokens = Math.multiplyExact((long) blockSize, blocks);
        return Math.multiplyExact(tokens, (long) layers * kvHeads * (headDim + padded(headDim)) * type.bytes());
    }

    private static int padded(int headDim) {
        return (headDim + 15) & ~15;
    }

    public KvType type() {
        return type;
    }

    public int layers() {
        return layers;
    }

    public int kvHeads() {
        return kvHeads;
    }

    public int headDim() {
        return headDim;
    }

    /** Head dimension rounded up to a multiple of 16: the stride of a token's values. */
    public int paddedHeadDim() {
        return padded(headDim);
    }

    /** Tokens in a block. */
    public int blockSize() {
        return blockSize;
    }

    public int blocks() {
        return blocks;
    }

    /** Bytes of one block of keys of one layer, all heads. */
    public long keyBlockBytes() {
        return (long) kvHeads * headDim * blockSize * type.bytes();
    }

    /** Bytes of one block of values of one layer, all heads. */
    public long valueBlockBytes() {
        return (long) kvHeads * blockSize * paddedHeadDim() * type.bytes();
    }

    /** Bytes of one block, keys and values of all layers. */
    public long blockBytes() {
        return layers * (keyBlockBytes() + valueBlockBytes());
    }

    /** Bytes from a block's keys of one layer to those of the next. */
    public long keyLayerStride() {
        return layerStride(keyBlockBytes());
    }

    /** Bytes from a block's values of one layer to those of the next. */
    public long valueLayerStride() {
        return layerStride(valueBlockBytes());
    }

    /** Memory from a block's keys of the first layer to those of the last, {@link #keyLayerStride} apart; other blocks lie between. */
    public MemorySegment keysOfBlock(int block) {
        return allKeys.asSlice(block * keyBlockBytes(), (layers - 1) * keyLayerStride() + keyBlockBytes());
    }

    /** Memory from a block's values of the first layer to those of the last, {@link #valueLayerStride} apart. */
    public MemorySegment valuesOfBlock(int block) {
        return allValues.asSlice(block * valueBlockBytes(), (layers - 1) * valueLayerStride() + valueBlockBytes());
    }

    /**
     * Checks what {@link BlockCopies} are asked for.
     *
     * @param in from the host, else to it
     * @return the blocks
     * @throws IllegalArgumentException if a block is not of the store or comes twice, or the memory is not native or not
     *     {@link #blockBytes} for each, or is to be written and must not be
     */
    public BitSet requireBlocks(int[] ids, MemorySegment host, boolean in) {
        BitSet seen = new BitSet(blocks);
        for (int id : ids) {
            boolean known = id >= 0 && id < blocks;
            if (!known || seen.get(id)) {
                throw new IllegalArgumentException("blocks=%s with block %d%s"
                        .formatted(Arrays.toString(ids), id, known ? " twice" : ", the store has " + blocks));
            }
            seen.set(id);
        }
        long expected = Math.multiplyExact(blockBytes(), (long) ids.length);
        if (!host.isNative() || host.byteSize() != expected) {
            throw new IllegalArgumentException("blocks=%s take %d bytes of native memory, this is %s"
                    .formatted(Arrays.toString(ids), expected, host));
        }
        if (!in && host.isReadOnly()) {
            throw new IllegalArgumentException("blocks=%s are copied out to memory that is not read-only, this is %s"
                    .formatted(Arrays.toString(ids), host));
        }
        return seen;
    }

    /** Keys of a layer, counted from this store's first. */
    public MemorySegment keys(int layer) {
        return keys[layer];
    }

    /** Values of a layer, counted from this store's first. */
    public MemorySegment values(int layer) {
        return values[layer];
    }

    /** Byte offset of {@code keys[block][head][element][slot]}. */
    public long keyOffset(int block, int head, int element, int slot) {
        return ((((long) block * kvHeads + head) * headDim + element) * blockSize + slot) * type.bytes();
    }

    /** Byte offset of {@code values[block][head][slot][element]}. */
    public long valueOffset(int block, int head, int slot, int element) {
        return ((((long) block * kvHeads + head) * blockSize + slot) * paddedHeadDim() + element) * type.bytes();
    }

    @Override
    public void close() {
        arena.close();
    }
}
