package dev.troupe.stage;

/**
 * What a node gives to the shards of one of its slots.
 *
 * @param slot {@code host:port#uid/cpu0}
 * @param lane where the node listens for tensors, {@code host:port}; empty where there is no lane
 * @param loader where shares come from
 * @param road how tensors leave
 * @param registry how tensors of the lane arrive
 * @param roster where shards say that they are here
 */
public record ShardHost(
        String slot, String lane, ShardLoader loader, TensorRoad road, LaneRegistry registry, ShardRoster roster) {

    /** The same for another slot of the node. */
    public ShardHost at(String other) {
        return new ShardHost(other, lane, loader, road, registry, roster);
    }
}
