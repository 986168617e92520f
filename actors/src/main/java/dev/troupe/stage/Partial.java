package dev.troupe.stage;

import dev.troupe.tensor.Rows;

/**
 * A piece of one tree node's sum in one exchange, from one rank of a stage to a peer.
 *
 * @param exchange segment of the stage, from 0
 * @param fromRank sender
 * @param fromGroup first KV group of the node, inclusive
 * @param toGroup last KV group of the node, exclusive
 * @param firstRow first token row of this piece; a large tensor is split in several
 * @param values {@code [rows, hidden]}
 */
public record Partial(
        Epoch epoch, long step, int exchange, int fromRank, int fromGroup, int toGroup, int firstRow, Rows values)
        implements TensorMessage {}
