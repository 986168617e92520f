package dev.troupe.kernel;

import java.util.BitSet;

/**
 * Which tokens of a step went wrong: kernels mark them where they run, and whoever owns the step reads the marks once, at its
 * end, because reading waits for the device. A mark stays until {@link #clear}.
 */
public interface TokenFlags {

    /** Marks a token from the host, by its index in the batch. */
    void mark(int token);

    /** Takes all marks away. */
    void clear();

    /** A copy of the marks, after everything that was asked of the kernels before. */
    BitSet marked();

    /** Marks in the memory of the host, for kernels that run there. Not thread-safe. */
    static TokenFlags onHost() {
        return new HostTokenFlags();
    }
}
