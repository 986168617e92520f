package dev.troupe.sampling;

import java.util.Arrays;

/**
 * The first of many (value, id) pairs in the one order of sampling: values descending, equal values by ascending id. A
 * pair is a long, the order of longs is the order of pairs; keeps at most {@code limit} of them in a heap.
 */
final class Ranking {
    private static final int FIRST_CAPACITY = 64;

    private final int limit;
    private long[] heap;
    private int size;
    private boolean dropped;

    /** An empty ranking of at most {@code limit} pairs, at least 1. */
    Ranking(int limit) {
        if (limit < 1) {
            throw new IllegalArgumentException("limit=%d, expected at least 1".formatted(limit));
        }
        this.limit = limit;
        this.heap = new long[Math.min(limit, FIRST_CAPACITY)];
    }

    /** The pair as a long: larger is earlier. Adding +0 makes both zeros one. */
    static long pair(float value, int id) {
        int bits = Float.floatToRawIntBits(value + 0f);
        int ordered = bits ^ ((bits >> 31) & 0x7fffffff);
        return ((long) ordered << 32) | (~id & 0xffffffffL);
    }

    static float value(long pair) {
        int ordered = (int) (pair >> 32);
        return Float.intBitsToFloat(ordered ^ ((ordered >> 31) & 0x7fffffff));
    }

    static int id(long pair) {
        return ~(int) pair;
    }

    /** Takes a pair in if it is among the first {@code limit} so far. */
    void add(float value, int id) {
        long pair = pair(value, id);
        if (size < limit) {
            if (size == heap.length) {
                heap = Arrays.copyOf(heap, (int) Math.min(limit, 2L * size));
            }
            heap[size++] = pair;
            return;
        }
        if (!dropped) {
            dropped = true;
            for (int i = size / 2 - 1; i >= 0; i--) {
                siftDown(i);
            }
        }
        if (pair > heap[0]) {
            heap[0] = pair;
            siftDown(0);
        }
    }

    private void siftDown(int start) {
        long moving = heap[start];
        int at = start;
        while (true) {
            int child = 2 * at + 1;
            if (child >= size) {
                break;
            }
            if (child + 1 < size && heap[child + 1] < heap[child]) {
                child++;
            }
            if (heap[child] >= moving) {
                break;
            }
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = moving;
    }

    /** Whether every pair that was added is still here. */
    boolean holdsAll() {
        return !dropped;
    }

    /** The pairs, first of the order first. */
    long[] sorted() {
        long[] pairs = Arrays.copyOf(heap, size);
        Arrays.sort(pairs);
        for (int i = 0, j = size - 1; i < j; i++, j--) {
            long swapped = pairs[i];
            pairs[i] = pairs[j];
            pairs[j] = swapped;
        }
        return pairs;
    }
}
