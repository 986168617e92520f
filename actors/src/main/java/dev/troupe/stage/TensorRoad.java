package dev.troupe.stage;

/** Sends to peers without ever blocking. A message that cannot be delivered is lost; deadlines find out. */
@FunctionalInterface
public interface TensorRoad {
    /** Sends {@code message} to {@code peer}. */
    void send(Peer peer, TensorMessage message);
}
