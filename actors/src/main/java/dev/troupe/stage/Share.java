package dev.troupe.stage;

import dev.troupe.model.ShardCompute;
import dev.troupe.sampling.guide.TokenTable;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * What a shard was given to work with.
 *
 * @param compute its share of the model; the shard closes it
 * @param tokens what tokens stand for, where ranks of the last stage follow guides: there after the weights, because a shard
 *     can work without it until a guide comes; null elsewhere, and for a model without a tokenizer
 */
record Share(ShardCompute compute, CompletableFuture<@Nullable TokenTable> tokens) {}
