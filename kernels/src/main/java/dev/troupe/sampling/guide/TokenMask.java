package dev.troupe.sampling.guide;

import dev.troupe.kernel.AllowedIds;

/** The tokens that a guide allows next, as a set of ids. Immutable. */
public final class TokenMask implements AllowedIds {
    private final long[] words;
    private final int size;

    TokenMask(long[] words, int size) {
        this.words = words;
        this.size = size;
    }

    /** Ids the mask speaks of are 0 to {@code size() − 1}; no other is allowed. */
    public int size() {
        return size;
    }

    @Override
    public boolean allows(int id) {
        return id >= 0 && id < size && (words[id >>> 6] >>> (id & 63) & 1) != 0;
    }

    @Override
    public long word(int index) {
        return index < words.length ? words[index] : 0;
    }

    /** The first allowed id that is {@code from} or more, or −1. */
    public int next(int from) {
        int word = from >>> 6;
        if (from < 0 || word >= words.length) {
            return -1;
        }
        long left = words[word] & (-1L << (from & 63));
        while (left == 0) {
            if (++word == words.length) {
                return -1;
            }
            left = words[word];
        }
        return 64 * word + Long.numberOfTrailingZeros(left);
    }

    /** Number of allowed tokens. */
    public int count() {
        int count = 0;
        for (long word : words) {
            count += Long.bitCount(word);
        }
        return count;
    }
}
