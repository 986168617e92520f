package dev.troupe.model;

import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Rows;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One step on one rank: {@code compute} and {@code finish} in turn for every segment, then {@link #hidden()} or
 * {@link #logits(int[])}, then {@link #close()}.
 */
public interface ShardStep extends AutoCloseable {

    /**
     * Runs the local work of the next segment.
     *
     * @return this rank's sums: the maximal nodes of the tree inside its own groups, each {@code [tokens, hidden]}, with NaN in the
     *     rows of tokens that it knows to have failed, so that all ranks of the stage learn of it; empty when the rank owns all
     *     groups, because nobody needs them
     */
    List<SubtreeSum> compute();

    /**
     * Ends the segment: sums the tree over own and peers' nodes in its fixed order and adds the residual.
     *
     * @param peers the nodes of all other ranks, in any order
     * @throws IllegalArgumentException if they and the own ones do not cover every group exactly once
     */
    void finish(List<SubtreeSum> peers);

    /** The state after the last segment of this stage, {@code [tokens, hidden]}: whole on every rank. */
    Rows hidden();

    /**
     * Logits of this rank's vocabulary rows, {@code [rows.length, vocabularyRows]}; last stage only.
     *
     * @param rows token indices of the batch that want logits
     */
    Floats logits(int[] rows);

    /** What searches rows of logits where they are computed; null where that is the memory of the host: then {@link #logits} are read. */
    default @Nullable LogitSearch logitSearch() {
        return null;
    }

    /** The state after the model's final norm for these token indices, {@code [rows.length, hidden]}; last stage only. */
    Floats finalHidden(int[] rows);

    /**
     * Tokens of the batch for which this rank has met a value that is not finite so far. The step goes on, so that peers
     * do not wait; the sequences of these tokens fail.
     */
    BitSet failedTokens();

    /** Returns the step's workspace. */
    @Override
    void close();
}
