package dev.troupe.kernel.cuda;

import java.lang.foreign.MemorySegment;

/**
 * How many rows take part in an operation: the device reads it when the operation runs, so that work noted once serves every count
 * up to its bucket.
 *
 * @param count an {@code int} in the memory of the device, at most {@code bucket}
 * @param bucket rows that are launched for
 */
public record StepRows(MemorySegment count, int bucket) {
    /** @throws IllegalArgumentException if there is no row, or more than a grid has */
    public StepRows {
        if (bucket < 1 || bucket > 65_535) {
            throw new IllegalArgumentException("bucket = %d, expected 1 to 65535".formatted(bucket));
        }
    }
}
