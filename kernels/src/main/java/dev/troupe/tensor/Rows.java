package dev.troupe.tensor;

/**
 * Rows of f32, {@code [rows, columns]}, that a rank gives to others: on the heap, or still in the memory of the device that has computed
 * them. Nothing changes them.
 */
public interface Rows {
    int rows();

    int columns();

    /** They on the heap, for those who cannot copy from the device; waits for it. */
    Floats floats();

    /**
     * Says how many readers there will be, each of whom reads once: the memory of a device is used again after the last one. Until it is
     * said, and where readers do not come, after nobody refers to them any more.
     */
    default void expectReaders(int count) {}
}
