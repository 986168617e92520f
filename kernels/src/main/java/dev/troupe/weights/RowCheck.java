package dev.troupe.weights;

/** A look at rows of a tensor before they are used: are they what they should be? */
@FunctionalInterface
public interface RowCheck {
    /** Believes everything. */
    RowCheck NONE = (tensor, fromRow, toRow) -> {};

    /**
     * Checks rows {@code [fromRow, toRow)}.
     *
     * @throws WeightFormatException naming the tensor, if they are not
     */
    void check(WeightTensor tensor, long fromRow, long toRow) throws WeightFormatException;
}
