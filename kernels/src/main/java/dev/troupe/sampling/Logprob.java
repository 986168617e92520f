package dev.troupe.sampling;

/** A token and its log-probability (natural logarithm) under the model, before penalties and temperature. */
public record Logprob(int token, float logprob) {}
