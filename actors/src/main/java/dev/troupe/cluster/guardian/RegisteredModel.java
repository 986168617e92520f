package dev.troupe.cluster.guardian;

/**
 * A checkpoint that a node can load.
 *
 * @param id under which nodes speak of it; never a path
 * @param fingerprint of config, tokenizer and weights, as hexadecimal; empty where it was not computed
 */
public record RegisteredModel(String id, String fingerprint) {}
