package dev.troupe.cluster.guardian;

/**
 * What a node must agree to before its devices take part in a replica.
 *
 * @param model registered id
 * @param fingerprint what its checkpoint must hash to; empty where it is not checked
 * @param numerics numerics id of the replica
 */
public record Terms(String model, String fingerprint, String numerics) {}
