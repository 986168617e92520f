package dev.troupe.kernel.measure;

/**
 * One operation of one shape, as it was measured.
 *
 * @param kernel the operation and what it is for
 * @param tokens rows of the step
 * @param context positions that attention sees for each sequence; 0 for other operations
 * @param seconds of one call, median
 * @param bytes that it must read and write, every weight and every cached key and value once
 * @param operations of arithmetic, a product and its addition counted as two
 * @param integers whether they are on eight-bit integers
 * @param fastSeconds of one call of fast kernels, median; 0 where they are the same or there are none
 */
public record KernelRow(
        String kernel,
        int tokens,
        int context,
        double seconds,
        long bytes,
        double operations,
        boolean integers,
        double fastSeconds) {

    /** Bytes a second. */
    public double bytesPerSecond() {
        return bytes / seconds;
    }

    /** Operations of arithmetic a second. */
    public double operationsPerSecond() {
        return operations / seconds;
    }
}
