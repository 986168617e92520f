package dev.troupe.kernel.vector;

import dev.troupe.kernel.ExactMath;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * Attention of tokens that share their context with no other token of the step, which is decoding. Keys and values are used as
 * they are packed, and the spans of a long context are items of their own, each for some neighbouring KV heads. Whoever ends
 * the last span of a token's heads merges them in order.
 */
final class DirectAttention implements AutoCloseable {
    private static final int SPAN = AttentionTiles.SPAN;
    private static final int GROUP = HalfTiles.GROUP;

    /** At least so many items for every worker, where there are heads enough: one that is late takes fewer. */
    private static final int ITEMS = 4;

    private final WorkerPool pool;
    private final AttentionCall call;
    private final WorkerPool.Work item = this::item;
    private final Worker[] own;
    private final Scratch outputs = new Scratch();
    private float[] maxima = new float[0];
    private float[] denominators = new float[0];
    private AtomicIntegerArray unfinished = new AtomicIntegerArray(0);
    private int[] tokens = new int[16];

    /** Spans of all tokens before one, and at the end of all. */
    private int[] spansBefore = new int[17];

    private int count;
    private int parts;
    private int heads;
    private int width;
    private long output;

    /** What one worker needs for one span. */
    private static final class Worker implements AutoCloseable {
        final long[] keys = new long[SPAN / GROUP];
        final long[] values = new long[SPAN / GROUP];
        final Scratch scratch = new Scratch();

        @Override
        public void close() {
            scratch.close();
        }
    }

    DirectAttention(WorkerPool pool, AttentionCall call) {
        this.pool = pool;
        this.call = call;
        this.own = new Worker[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            own[i] = new Worker();
        }
    }

    /** Whether it takes tokens of this call: one of the products is shaped for several heads that share keys. */
    static boolean takes(KvStore store, int perGroup) {
        return store.type() == KvType.F16 && perGroup > 1;
    }

    void clear() {
        count = 0;
    }

    void add(int token) {
        if (count == tokens.length) {
            tokens = Arrays.copyOf(tokens, 2 * count);
            spansBefore = new int[2 * count + 1];
        }
        tokens[count++] = token;
    }

    /** Runs the tokens that were added. */
    void run() {
        if (count == 0) {
            return;
        }
        KvStore store = call.store();
        int spans = 0;
        for (int i = 0; i < count; i++) {
            spansBefore[i] = spans;
            spans += call.batch().position(tokens[i]) / SPAN - call.begin(tokens[i]) / SPAN + 1;
        }
        spansBefore[count] = spans;
        parts = 1;
        while (parts * spans < ITEMS * pool.threads() && store.kvHeads() % (2 * parts) == 0) {
            parts *= 2;
        }
        heads = store.kvHeads() * call.perGroup();
        width = store.paddedHeadDim();
        output = outputs.atLeast(4L * spans * heads * width);
        if (maxima.length < spans * heads) {
            maxima = new float[spans * heads];
            denominators = new float[spans * heads];
        }
        if (unfinished.length() < count * parts) {
            unfinished = new AtomicIntegerArray(count * parts);
        }
        for (int i = 0; i < count; i++) {
            for (int part = 0; part < parts; part++) {
                unfinished.set(i * parts + part, spansBefore[i + 1] - spansBefore[i]);
            }
        }
        pool.run(spans * parts, item);
    }

    private void item(int item, int worker) {
        int part = item % parts;
        int span = item / parts;
        int i = tokenOf(span);
        int kvHeads = call.store().kvHeads() / parts;
        attend(tokens[i], span, span - spansBefore[i], part * kvHeads, kvHeads, own[worker]);
        if (unfinished.decrementAndGet(i * parts + part) == 0) {
            merge(i, part * kvHeads, kvHeads);
        }
    }

    private int tokenOf(int span) {
        int low = 0;
        int high = count - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (spansBefore[middle] <= span) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }

    /**
     * One span of one token.
     *
     * @param span its number in the call
     * @param ofToken its number in the token's context
     */
    private void attend(int token, int span, int ofToken, int firstHead, int kvHeads, Worker worker) {
        KvStore store = call.store();
        TokenBatch batch = call.batch();
        int begin = call.begin(token);
        int start = (begin / SPAN + ofToken) * SPAN;
        int from = Math.max(begin, start) - start;
        int to = Math.min(batch.position(token), start + SPAN - 1) + 1 - start;
        int low = from & -32;
        int high = (to + 31) & -32;
        int blockSize = store.blockSize();
        for (int group = low / GROUP; group < high / GROUP; group++) {
            // a group without a visible token may have no block; what is read in its place is not used
            int position = start + GROUP * Math.clamp(group, from / GROUP, (to - 1) / GROUP);
            int block = batch.block(batch.sequence(token), position, blockSize);
            worker.keys[group] = call.keys() + store.keyOffset(block, 0, 0, position % blockSize);
            worker.values[group] = call.values() + store.valueOffset(block, 0, position % blockSize, 0);
        }
        int perGroup = call.perGroup();
        long scores = worker.scratch.atLeast(4L * SPAN * perGroup + LaneTree.BYTES);
        long lanes = scores + 4L * SPAN * perGroup;
        for (int kvHead = firstHead; kvHead < firstHead + kvHeads; kvHead++) {
            score(worker.keys, kvHead, low, high, call.queries(token, kvHead), scores);
            int state = span * heads + kvHead * perGroup;
            for (int h = 0; h < perGroup; h++) {
                long z = scores + 4L * SPAN * h;
                float maximum = SpanSoftmax.maximum(z, low, from, to, high);
                maxima[state + h] = maximum;
                denominators[state + h] = SpanSoftmax.weights(z, low, high, maximum, lanes);
            }
            weigh(worker.values, kvHead, from, to, scores, output + 4L * state * width);
        }
    }

    private void score(long[] keys, int kvHead, int low, int high, long queries, long scores) {
        KvStore store = call.store();
        int last = call.perGroup() - 1;
        long q = 4L * store.headDim();
        long z = 4L * SPAN;
        for (int h = 0; h <= last; h += 4) {
            int h1 = Math.min(h + 1, last);
            int h2 = Math.min(h + 2, last);
            int h3 = Math.min(h + 3, last);
            HalfTiles.scores4(
                    keys,
                    store.keyOffset(0, kvHead, 0, 0),
                    2L * store.blockSize(),
                    store.headDim(),
                    low,
                    high,
                    call.scale(),
                    queries + q * h,
                    queries + q * h1,
                    queries + q * h2,
                    queries + q * h3,
                    scores + z * h,
                    scores + z * h1,
                    scores + z * h2,
                    scores + z * h3);
        }
    }

    private void weigh(long[] values, int kvHead, int from, int to, long weights, long output) {
        int last = call.perGroup() - 1;
        long p = 4L * SPAN;
        long o = 4L * width;
        for (int h = 0; h <= last; h += 4) {
            int h1 = Math.min(h + 1, last);
            int h2 = Math.min(h + 2, last);
            int h3 = Math.min(h + 3, last);
            HalfTiles.values4(
                    values,
                    call.store().valueOffset(0, kvHead, 0, 0),
                    width,
                    from,
                    to,
                    weights + p * h,
                    weights + p * h1,
                    weights + p * h2,
                    weights + p * h3,
                    output + o * h,
                    output + o * h1,
                    output + o * h2,
                    output + o * h3);
        }
    }

    /** Merges all spans of some heads of a token into the first one, and writes what comes out. */
    private void merge(int i, int firstHead, int kvHeads) {
        int perGroup = call.perGroup();
        for (int kvHead = firstHead; kvHead < firstHead + kvHeads; kvHead++) {
            long to = call.outputs(tokens[i], kvHead);
            for (int h = 0; h < perGroup; h++) {
                int head = kvHead * perGroup + h;
                int state = spansBefore[i] * heads + head;
                float maximum = maxima[state];
                float denominator = denominators[state];
                long o = output + 4L * state * width;
                for (int span = spansBefore[i] + 1; span < spansBefore[i + 1]; span++) {
                    int next = span * heads + head;
                    float m = Math.max(maximum, maxima[next]);
                    float a = ExactMath.exp(maximum - m);
                    float b = ExactMath.exp(maxima[next] - m);
                    denominator = Math.fma(denominator, a, denominators[next] * b);
                    maximum = m;
                    SpanSoftmax.merge(o, a, output + 4L * next * width, b, width);
                }
                SpanSoftmax.divide(
                        o,
                        denominator,
                        call.store().headDim(),
                        to + 4L * h * call.store().headDim());
            }
        }
    }

    @Override
    public void close() {
        outputs.close();
        for (Worker worker : own) {
            worker.close();
        }
    }
}
