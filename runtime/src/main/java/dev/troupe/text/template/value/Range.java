package dev.troupe.text.template.value;

import java.util.AbstractList;
import java.util.Objects;
import java.util.RandomAccess;

/** What {@code range(start, stop, step)} gives: numbers that are not stored. */
public final class Range extends AbstractList<Object> implements RandomAccess {
    private final long start;
    private final long stop;
    private final long step;
    private final int size;

    public Range(long start, long stop, long step, int size) {
        this.start = start;
        this.stop = stop;
        this.step = step;
        this.size = size;
    }

    @Override
    public Object get(int index) {
        return start + Objects.checkIndex(index, size) * step;
    }

    @Override
    public int size() {
        return size;
    }

    /** As Python prints it. */
    public String text() {
        return step == 1 ? "range(%d, %d)".formatted(start, stop) : "range(%d, %d, %d)".formatted(start, stop, step);
    }
}
