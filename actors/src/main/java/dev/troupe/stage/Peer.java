package dev.troupe.stage;

import org.apache.pekko.actor.typed.ActorRef;

/**
 * How to reach a rank.
 *
 * @param id which rank
 * @param lane where its node listens for tensors, {@code host:port}; empty where there is no lane
 * @param ref its actor
 */
public record Peer(ShardId id, String lane, ActorRef<TensorShard.Command> ref) {}
