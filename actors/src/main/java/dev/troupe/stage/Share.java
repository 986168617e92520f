package dev.troupe.stage;

import dev.troupe.model.ShardCompute;

/**
 * What a shard was given to work with; the shard closes both.
 *
 * @param compute its share of the model
 * @param guides those of a rank of the last stage; elsewhere none can be followed
 */
record Share(ShardCompute compute, Guides guides) {}
