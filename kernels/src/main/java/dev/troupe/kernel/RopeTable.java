package dev.troupe.kernel;

import dev.troupe.tensor.Tensor;

/**
 * Cosines and sines of the rotation, computed on the host in double with StrictMath and rounded once (NUMERICS rule 7).
 *
 * @param cosines {@code [positions, headDim / 2]}
 * @param sines {@code [positions, headDim / 2]}
 */
public record RopeTable(Tensor cosines, Tensor sines) {
    public RopeTable {
        if (cosines.rows() != sines.rows() || cosines.columns() != sines.columns()) {
            throw new IllegalArgumentException("cosines %s and sines %s differ in shape".formatted(cosines, sines));
        }
    }
}
