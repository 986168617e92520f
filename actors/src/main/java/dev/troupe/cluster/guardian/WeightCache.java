package dev.troupe.cluster.guardian;

import dev.troupe.model.decoder.ShardSlice;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Packed weights that a node keeps for longer than the shards that use them, so that the next epoch's shard of the same
 * slice starts without reading them again. It is one holder of each, counted by the weights themselves: what is evicted
 * while a shard computes with it lives until that shard ends. Thread-safe; different slices load beside each other, the same
 * one loads once.
 *
 * @param <W> weights that count their holders
 */
public final class WeightCache<W> implements AutoCloseable {
    private final long capacity;
    private final UnaryOperator<W> share;
    private final Consumer<W> release;
    private final ConcurrentHashMap<Key, Object> loading = new ConcurrentHashMap<>();
    private final Map<Key, Loaded<W>> kept = new LinkedHashMap<>(16, 0.75f, true);
    private long bytes;
    private boolean closed;

    /**
     * What weights are kept under.
     *
     * @param model registered id
     * @param fingerprint of the checkpoint; empty where it is not known
     * @param device in whose memory they lie, {@code cpu0} or {@code cuda1}
     * @param slice which part of it
     */
    public record Key(String model, String fingerprint, String device, ShardSlice slice) {}

    /**
     * Weights that have just been read.
     *
     * @param weights with one holder: whoever asked
     * @param bytes memory they take, in bytes
     */
    public record Loaded<W>(W weights, long bytes) {}

    /** Reads weights. */
    @FunctionalInterface
    public interface Loader<W> {
        /**
         * Reads them; may block for long.
         *
         * @throws Exception if they cannot be read
         */
        Loaded<W> load() throws Exception;
    }

    /**
     * @param capacity how much to keep, in bytes; the least recently used go first, and what is larger is not kept
     * @param share makes another holder of the weights
     * @param release ends a holder
     */
    public WeightCache(long capacity, UnaryOperator<W> share, Consumer<W> release) {
        if (capacity < 0) {
            throw new IllegalArgumentException("capacity=%d bytes, expected 0 or more".formatted(capacity));
        }
        this.capacity = capacity;
        this.share = share;
        this.release = release;
    }

    /**
     * The weights of {@code key}, kept ones or read now. The caller is a holder and must end that.
     *
     * @throws Exception what {@code loader} throws; nothing is kept then
     */
    public W get(Key key, Loader<W> loader) throws Exception {
        synchronized (loading.computeIfAbsent(key, _ -> new Object())) {
            W hit = shareKept(key);
            if (hit != null) {
                return hit;
            }
            Loaded<W> loaded = loader.load();
            keep(key, loaded);
            return loaded.weights();
        }
    }

    private synchronized @Nullable W shareKept(Key key) {
        Loaded<W> hit = kept.get(key);
        return hit == null ? null : share.apply(hit.weights());
    }

    private synchronized void keep(Key key, Loaded<W> loaded) {
        if (!closed && loaded.bytes() <= capacity) {
            kept.put(key, new Loaded<>(share.apply(loaded.weights()), loaded.bytes()));
            bytes += loaded.bytes();
            evictTo(capacity);
        }
    }

    private void evictTo(long limit) {
        Iterator<Loaded<W>> eldest = kept.values().iterator();
        while (bytes > limit && eldest.hasNext()) {
            Loaded<W> gone = eldest.next();
            eldest.remove();
            bytes -= gone.bytes();
            release.accept(gone.weights());
        }
    }

    /** Bytes kept now. */
    public synchronized long bytes() {
        return bytes;
    }

    /** Whether the weights of {@code key} are kept now. */
    public synchronized boolean holds(Key key) {
        return kept.containsKey(key);
    }

    /** Gives everything up, for example when memory is short. */
    public synchronized void clear() {
        evictTo(-1);
    }

    /** Gives everything up and keeps nothing any more. */
    @Override
    public synchronized void close() {
        closed = true;
        clear();
    }
}
