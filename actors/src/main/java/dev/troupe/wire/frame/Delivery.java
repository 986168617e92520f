package dev.troupe.wire.frame;

import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorMessage;

/**
 * A message that has come whole.
 *
 * @param target whom it is for
 * @param bytes what it took on the wire
 */
public record Delivery(ShardId target, TensorMessage message, int bytes) {}
