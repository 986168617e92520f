package dev.troupe.sampling.guide.automaton;

/**
 * A set of byte values 0 to 255.
 *
 * @param bits0 values 0 to 63, the lowest bit first
 * @param bits1 values 64 to 127
 * @param bits2 values 128 to 191
 * @param bits3 values 192 to 255
 */
public record ByteSet(long bits0, long bits1, long bits2, long bits3) {
    /** The values {@code least} to {@code most}, both included. */
    public static ByteSet range(int least, int most) {
        if (least < 0 || most > 255 || least > most) {
            throw new IllegalArgumentException(
                    "bytes %d to %d, expected a range within 0 to 255".formatted(least, most));
        }
        return new ByteSet(word(0, least, most), word(1, least, most), word(2, least, most), word(3, least, most));
    }

    private static long word(int index, int least, int most) {
        int from = Math.max(least, 64 * index);
        int to = Math.min(most, 64 * index + 63);
        return from > to ? 0 : (-1L >>> (63 - (to - from))) << (from & 63);
    }

    /** The values of either set. */
    public ByteSet or(ByteSet that) {
        return new ByteSet(bits0 | that.bits0, bits1 | that.bits1, bits2 | that.bits2, bits3 | that.bits3);
    }

    /** Whether a value 0 to 255 is in the set. */
    public boolean contains(int value) {
        long word = switch (value >>> 6) {
            case 0 -> bits0;
            case 1 -> bits1;
            case 2 -> bits2;
            default -> bits3;
        };
        return (word >>> (value & 63) & 1) != 0;
    }
}
