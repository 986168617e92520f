package dev.troupe.weights.gguf;

import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightTensor;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The tensor table of a GGUF file. Every size is computed exactly, and the tensors must lie inside the file, aligned and
 * apart from each other.
 */
final class GgufTensorTable {
    private static final int MAX_TENSORS = 65_536;
    private static final int MAX_NAME_BYTES = 64;
    private static final int MAX_DIMENSIONS = 4;
    private static final int LEAST_ENTRY_BYTES = 8 + 1 + 4 + 4 + 8;

    private final GgufCursor cursor;
    private final long alignment;
    private final List<Entry> entries = new ArrayList<>();

    private GgufTensorTable(GgufCursor cursor, long alignment) {
        this.cursor = cursor;
        this.alignment = alignment;
    }

    /** One tensor and its bytes {@code [begin, end)} of the file. */
    record Entry(WeightTensor tensor, long begin, long end) {}

    /**
     * Reads {@code count} entries, which end the header.
     *
     * @param alignment of the data and of every tensor in it, a power of two
     * @return the tensors by ascending position
     * @throws WeightFormatException if an entry is malformed, or the data of two overlap or are not in the file
     */
    static List<Entry> read(GgufCursor cursor, long count, long alignment) throws WeightFormatException {
        long most = Math.min(MAX_TENSORS, cursor.remaining() / LEAST_ENTRY_BYTES);
        if (count < 0 || count > most) {
            throw cursor.broken("counts %s tensors, expected at most %d in the %d bytes that follow"
                    .formatted(Long.toUnsignedString(count), most, cursor.remaining()));
        }
        GgufTensorTable table = new GgufTensorTable(cursor, alignment);
        table.readAll(count);
        return table.placed();
    }

    private void readAll(long count) throws WeightFormatException {
        Set<String> names = new HashSet<>();
        for (long i = 0; i < count; i++) {
            cursor.reading("tensor", String.valueOf(i));
            String name = cursor.readName(MAX_NAME_BYTES);
            cursor.reading("tensor", name);
            if (!names.add(name)) {
                throw cursor.broken("is there twice");
            }
            entries.add(readEntry(name));
        }
    }

    /** An entry whose position still counts from the beginning of the data. */
    private Entry readEntry(String name) throws WeightFormatException {
        List<Long> shape = readShape();
        int id = cursor.readInt();
        GgufType type = GgufType.of(id);
        if (type == null) {
            throw cursor.broken("has the unknown type %s".formatted(Integer.toUnsignedString(id)));
        }
        long size = byteSize(type, shape);
        long offset = cursor.readLong();
        if (offset % alignment != 0) {
            throw cursor.broken("begins at byte %s of the data, no multiple of the alignment %d"
                    .formatted(Long.toUnsignedString(offset), alignment));
        }
        if (offset < 0 || offset > cursor.bytes().byteSize() - size) {
            throw outside(offset, size);
        }
        WeightTensor tensor = new WeightTensor(name, type.name(), type.computed(), shape, size, cursor.file());
        return new Entry(tensor, offset, offset + size);
    }

    /** Sizes outermost first; the file has them innermost first. */
    private List<Long> readShape() throws WeightFormatException {
        int dimensions = cursor.readInt();
        if (dimensions < 0 || dimensions > MAX_DIMENSIONS) {
            throw cursor.broken("has %s dimensions, expected at most %d"
                    .formatted(Integer.toUnsignedString(dimensions), MAX_DIMENSIONS));
        }
        List<Long> shape = new ArrayList<>();
        for (int i = 0; i < dimensions; i++) {
            long size = cursor.readLong();
            if (size < 1) {
                throw cursor.broken("has a dimension of size %s, expected 1 to %d"
                        .formatted(Long.toUnsignedString(size), Long.MAX_VALUE));
            }
            shape.addFirst(size);
        }
        return shape;
    }

    private long byteSize(GgufType type, List<Long> shape) throws WeightFormatException {
        long columns = shape.isEmpty() ? 1 : shape.getLast();
        if (columns % type.blockSize() != 0) {
            throw cursor.broken("of type %s has rows of %d elements, no multiple of the %d in a block"
                    .formatted(type, columns, type.blockSize()));
        }
        try {
            long elements = 1;
            for (long size : shape) {
                elements = Math.multiplyExact(elements, size);
            }
            return Math.multiplyExact(elements / type.blockSize(), (long) type.blockBytes());
        } catch (ArithmeticException e) {
            throw cursor.broken("of type %s and shape %s has a size beyond 64 bits".formatted(type, shape), e);
        }
    }

    private WeightFormatException outside(long begin, long size) {
        return cursor.broken("takes %d bytes from byte %s of the data on, but the file has only %d bytes in all"
                .formatted(size, Long.toUnsignedString(begin), cursor.bytes().byteSize()));
    }

    /** The entries by position, which counts from the beginning of the file now. */
    private List<Entry> placed() throws WeightFormatException {
        long data = Math.ceilDiv(cursor.position(), alignment) * alignment;
        entries.sort(Comparator.comparingLong(Entry::begin));
        List<Entry> placed = new ArrayList<>();
        long next = 0;
        for (Entry entry : entries) {
            cursor.reading("tensor", entry.tensor().name());
            if (entry.begin() < next) {
                throw cursor.broken("begins at byte %d of the data and overlaps the tensor before it, which ends at %d"
                        .formatted(entry.begin(), next));
            }
            if (entry.end() > cursor.bytes().byteSize() - data) {
                throw cursor.broken("occupies bytes %d to %d of the data, but the file has only %d bytes of data"
                        .formatted(
                                entry.begin(),
                                entry.end(),
                                Math.max(0, cursor.bytes().byteSize() - data)));
            }
            next = entry.end();
            placed.add(new Entry(entry.tensor(), data + entry.begin(), data + entry.end()));
        }
        return List.copyOf(placed);
    }
}
