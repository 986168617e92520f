package dev.troupe.stage;

import dev.troupe.model.Partition;
import java.util.List;

/**
 * The shape of a model made for tests: all its numbers are whole and below 2^24, so its sums are exact in f32, and its
 * logits depend on every earlier token through the KV blocks, so that a mistake anywhere shows in the tokens.
 *
 * @param layers in all
 * @param groups KV groups
 * @param hidden columns of the hidden state
 * @param vocabulary tokens
 */
record CountingModel(int layers, int groups, int hidden, int vocabulary) {
    /** A token whose keys overflow in the last group of the first layer: only the rank that owns it can see that. */
    static final int OVERFLOWING_TOKEN = 13;

    static final int PRIME = 8191;

    static CountingModel small() {
        return new CountingModel(6, 8, 3, 600);
    }

    /** Everything on one rank. */
    Partition unsplit() {
        return new Partition(
                List.of(new Partition.Stage(0, layers, List.of(new Partition.Rank(0, groups, 0, vocabulary)))));
    }

    int embedding(int id, int column) {
        return (id * 31 + column * 7 + 1) % PRIME;
    }

    /** A group's contribution to a column: a value below 1021. */
    static int contribution(long sum, int column, int group) {
        return (int) ((sum * (column + 3) + group * 11L) % 1021);
    }

    /** A logit: a multiple of 1/16 below 63. */
    float logit(int[] state, int token) {
        long sum = 0;
        for (int c = 0; c < hidden; c++) {
            sum += (long) state[c] * (token * 7L + c + 1);
        }
        return (sum % 997) / 16f;
    }
}
