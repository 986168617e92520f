package dev.troupe.stage;

import dev.troupe.model.ShardCompute;
import dev.troupe.sampling.guide.TokenTable;
import org.jspecify.annotations.Nullable;

/**
 * What a shard was given to work with.
 *
 * @param compute its share of the model; the shard closes it
 * @param tokens what tokens stand for, where ranks of the last stage follow guides; null elsewhere, and for a model without
 *     a tokenizer
 */
record Share(ShardCompute compute, @Nullable TokenTable tokens) {}
