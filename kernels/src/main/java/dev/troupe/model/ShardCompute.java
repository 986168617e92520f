package dev.troupe.model;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.tensor.Rows;
import org.jspecify.annotations.Nullable;

/**
 * One tensor-parallel rank's share of one pipeline stage: what a shard drives, segment by segment. It never waits and
 * never calls the network. Owned by one thread; several steps may be open at once, but segment j of a later step runs
 * only after segment j of every earlier one.
 */
public interface ShardCompute extends AutoCloseable {

    /** Segments of a step: local pieces of work that each end in one exchange; two for every layer of the stage. */
    int segments();

    /** Columns of the hidden state. */
    int hiddenSize();

    /** First vocabulary row this rank computes logits for, or 0 outside the last stage. */
    int firstVocabularyRow();

    /** Vocabulary rows this rank computes logits for; 0 outside the last stage. */
    int vocabularyRows();

    /**
     * Opens a step.
     *
     * @param batch the tokens {@code [tokens]}
     * @param hidden the state {@code [tokens, hidden]} from the stage before, or null on the first stage, which looks
     *     the embeddings up itself
     * @throws IllegalArgumentException if a size or an id is out of range
     */
    ShardStep begin(TokenBatch batch, @Nullable Rows hidden);

    /** Frees weights, cache and workspace. */
    @Override
    void close();
}
