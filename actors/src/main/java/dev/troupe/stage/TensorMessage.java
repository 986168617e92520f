package dev.troupe.stage;

/** What travels between ranks: on the tensor lane, over Artery, or by reference inside a JVM. The receiver cannot tell. */
public sealed interface TensorMessage extends TensorShard.Command
        permits Partial, HandOff, Candidates, CandidateRequest {
    /** The receiver drops other epochs' messages. */
    Epoch epoch();

    /** Step within the epoch. */
    long step();
}
