package dev.troupe.tensor;

import java.util.Arrays;
import java.util.stream.IntStream;

/** An immutable list of ints, for example token ids or KV block ids. */
public final class Ints {
    private static final Ints EMPTY = new Ints(new int[0]);

    private final int[] values;

    private Ints(int[] values) {
        this.values = values;
    }

    public static Ints of(int... values) {
        return values.length == 0 ? EMPTY : new Ints(values.clone());
    }

    public int size() {
        return values.length;
    }

    public boolean isEmpty() {
        return values.length == 0;
    }

    public int get(int index) {
        return values[index];
    }

    /** Elements {@code [from, to)}. */
    public Ints slice(int from, int to) {
        if (from < 0 || to < from || to > values.length) {
            throw new IndexOutOfBoundsException("[%d, %d) of %d".formatted(from, to, values.length));
        }
        return new Ints(Arrays.copyOfRange(values, from, to));
    }

    /** This list and then {@code more}. */
    public Ints append(Ints more) {
        int[] all = Arrays.copyOf(values, values.length + more.values.length);
        System.arraycopy(more.values, 0, all, values.length, more.values.length);
        return new Ints(all);
    }

    public IntStream stream() {
        return Arrays.stream(values);
    }

    public int[] toArray() {
        return values.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Ints that && Arrays.equals(values, that.values);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(values);
    }

    @Override
    public String toString() {
        return Arrays.toString(values);
    }
}
