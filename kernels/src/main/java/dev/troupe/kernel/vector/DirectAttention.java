package dev.troupe.kernel.vector;

import static dev.troupe.kernel.vector.lanes.Lanes.ALL;
import static dev.troupe.kernel.vector.lanes.Lanes.FLOAT;

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

    /** At least so many items for every worker, where there are heads enough: one that is late takes fewer. */
    private static final int ITEMS = 4;

    private final WorkerPool pool;
    private final AttentionCall call;
    private final WorkerPool.Work item = this::item;
    private final boolean natives;
    private final SpanAttention[] own;
    private final Scratch scratch = new Scratch();
    private AtomicIntegerArray unfinished = new AtomicIntegerArray(0);
    private int[] tokens = new int[16];

    /** Spans of all tokens before one, and at the end of all. */
    private int[] spansBefore = new int[17];

    private int count;
    private int parts;
    private int items;
    private int heads;
    private int width;

    /** What every span gives: f32 {@code [spans][heads][width]}, and twice {@code [spans][heads]}. */
    private long outputs;

    private long maxima;
    private long denominators;

    /**
     * @param natives whether {@link NativeSpan}, which must run here, does the spans
     */
    DirectAttention(WorkerPool pool, AttentionCall call, boolean natives) {
        this.pool = pool;
        this.call = call;
        this.natives = natives;
        this.own = new SpanAttention[pool.threads()];
        for (int i = 0; i < own.length; i++) {
            own[i] = natives ? new NativeSpan(call) : new VectorSpan(call);
        }
    }

    /** Whether it takes tokens of this call: the products of {@link VectorSpan} are shaped for several heads that share keys. */
    boolean takes(KvStore store, int perGroup) {
        return store.type() == KvType.F16 && (natives || perGroup > 1);
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
        outputs = scratch.atLeast(4L * spans * heads * (width + 2));
        maxima = outputs + 4L * spans * heads * width;
        denominators = maxima + 4L * spans * heads;
        if (unfinished.length() < count * parts) {
            unfinished = new AtomicIntegerArray(count * parts);
        }
        for (int i = 0; i < count; i++) {
            for (int part = 0; part < parts; part++) {
                unfinished.set(i * parts + part, spansBefore[i + 1] - spansBefore[i]);
            }
        }
        items = spans * parts;
        pool.run(items, item);
    }

    private void item(int item, int worker) {
        attend(item, worker);
        int part = item % parts;
        int i = tokenOf(item / parts);
        if (unfinished.decrementAndGet(i * parts + part) == 0) {
            int kvHeads = call.store().kvHeads() / parts;
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

    /** One span of one token. */
    private void attend(int item, int worker) {
        int span = item / parts;
        int i = tokenOf(span);
        int token = tokens[i];
        int start = start(span, i);
        int from = Math.max(call.begin(token), start) - start;
        int to = Math.min(call.batch().position(token), start + SPAN - 1) + 1 - start;
        int kvHeads = call.store().kvHeads() / parts;
        int firstHead = item % parts * kvHeads;
        long state = 4L * (span * heads + firstHead * call.perGroup());
        long next = firstKeys(Math.min(item + pool.threads(), items - 1));
        own[worker].attend(
                token,
                start,
                from,
                to,
                firstHead,
                kvHeads,
                next,
                maxima + state,
                denominators + state,
                outputs + state * width);
    }

    /** The position of a span's first token. */
    private int start(int span, int i) {
        return (call.begin(tokens[i]) / SPAN + span - spansBefore[i]) * SPAN;
    }

    /** Where the keys start that an item reads first. */
    private long firstKeys(int item) {
        KvStore store = call.store();
        TokenBatch batch = call.batch();
        int span = item / parts;
        int i = tokenOf(span);
        int position = Math.max(call.begin(tokens[i]), start(span, i));
        int block = batch.block(batch.sequence(tokens[i]), position, store.blockSize());
        return call.keys() + store.keyOffset(block, item % parts * (store.kvHeads() / parts), 0, 0);
    }

    /** Merges all spans of some heads of a token into the first one, and writes what comes out. */
    private void merge(int i, int firstHead, int kvHeads) {
        int perGroup = call.perGroup();
        for (int kvHead = firstHead; kvHead < firstHead + kvHeads; kvHead++) {
            long to = call.outputs(tokens[i], kvHead);
            for (int h = 0; h < perGroup; h++) {
                int head = kvHead * perGroup + h;
                long state = 4L * (spansBefore[i] * heads + head);
                float maximum = ALL.get(FLOAT, maxima + state);
                float denominator = ALL.get(FLOAT, denominators + state);
                long o = outputs + state * width;
                for (int span = spansBefore[i] + 1; span < spansBefore[i + 1]; span++) {
                    long next = 4L * (span * heads + head);
                    float nextMaximum = ALL.get(FLOAT, maxima + next);
                    float m = Math.max(maximum, nextMaximum);
                    float a = ExactMath.exp(maximum - m);
                    float b = ExactMath.exp(nextMaximum - m);
                    denominator = Math.fma(denominator, a, ALL.get(FLOAT, denominators + next) * b);
                    maximum = m;
                    SpanSoftmax.merge(o, a, outputs + next * width, b, width);
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
        scratch.close();
        for (SpanAttention span : own) {
            span.close();
        }
    }
}
