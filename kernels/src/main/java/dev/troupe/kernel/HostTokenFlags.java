package dev.troupe.kernel;

import java.util.BitSet;

/** Marks of kernels that run on the host. */
final class HostTokenFlags implements TokenFlags {
    private final BitSet marks = new BitSet();

    @Override
    public void mark(int token) {
        marks.set(token);
    }

    @Override
    public void clear() {
        marks.clear();
    }

    @Override
    public BitSet marked() {
        return (BitSet) marks.clone();
    }
}
