package dev.troupe.kernel.cuda;

import dev.troupe.kernel.cuda.driver.CudaGraph;
import dev.troupe.kernel.cuda.driver.CudaStream;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Work that comes again, as graphs: it is done operation by operation the first time, which loads kernels and takes memory, noted the
 * second time, and replayed from then on. A graph holds addresses, so all are given up when memory of the device was given back: something
 * else may lie there. Those not used for longest go when there are too many. For the thread that owns the stream; counts may be read by
 * others.
 */
final class RepeatedWork implements AutoCloseable {
    private final CudaStream stream;
    private final long mostOperations;

    /** The one used last at the end. */
    private final LinkedHashMap<Key, Noted> known = new LinkedHashMap<>(16, 0.75f, true);

    private final AtomicLong captures = new AtomicLong();
    private final AtomicLong replays = new AtomicLong();
    private long operations;
    private long releases;

    /**
     * What a graph serves.
     *
     * @param work the caller's name for it
     * @param bucket rows that it is launched for
     * @param spans that attention is launched for; 0 without
     * @param capacity of the {@link DeviceBatch}
     */
    record Key(Object work, int bucket, int spans, int capacity) {}

    /**
     * Work that was done at least once.
     *
     * @param graph once it was noted
     * @param operations in it, at least 1
     */
    private record Noted(@Nullable CudaGraph graph, long operations) {
        void close() {
            if (graph != null) {
                graph.close();
            }
        }
    }

    /** @param mostOperations in all graphs together, unless one alone has more */
    RepeatedWork(CudaStream stream, long mostOperations) {
        this.stream = stream;
        this.mostOperations = mostOperations;
    }

    /** Does work, at the stream's turn. */
    void run(Key key, Runnable work) {
        forgetMoved();
        Noted noted = known.get(key);
        if (noted == null) {
            stream.withoutHost(work);
            forgetMoved();
            keep(key, new Noted(null, 1));
            return;
        }
        CudaGraph graph = noted.graph();
        if (graph == null) {
            graph = capture(key, work);
        } else {
            replays.incrementAndGet();
        }
        stream.launch(graph);
    }

    private CudaGraph capture(Key key, Runnable work) {
        long before = stream.operations();
        CudaGraph graph = stream.capture(() -> stream.withoutHost(work));
        captures.incrementAndGet();
        keep(key, new Noted(graph, Math.max(1, stream.operations() - before)));
        return graph;
    }

    private void keep(Key key, Noted noted) {
        Noted before = known.put(key, noted);
        operations += noted.operations() - (before == null ? 0 : before.operations());
        Iterator<Map.Entry<Key, Noted>> oldest = known.entrySet().iterator();
        while (operations > mostOperations && known.size() > 1) {
            Noted gone = oldest.next().getValue();
            oldest.remove();
            operations -= gone.operations();
            gone.close();
        }
    }

    private void forgetMoved() {
        long now = stream.device().memory().releases();
        if (now != releases) {
            releases = now;
            close();
        }
    }

    /** Graphs that were noted so far. */
    long captures() {
        return captures.get();
    }

    /** Times that a graph was used which had been noted before. */
    long replays() {
        return replays.get();
    }

    /** Gives all graphs up. */
    @Override
    public void close() {
        known.values().forEach(Noted::close);
        known.clear();
        operations = 0;
    }
}
