package dev.troupe.weights;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** One memory-mapped safetensors file: eight bytes of header length, a JSON header, the data. */
final class SafetensorsFile {
    private static final int LENGTH_BYTES = 8;
    private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path path;
    private final MemorySegment data;
    private final Map<String, SafetensorsHeader.Entry> entries;

    private SafetensorsFile(Path path, MemorySegment data, List<SafetensorsHeader.Entry> entries) {
        this.path = path;
        this.data = data;
        this.entries = entries.stream()
                .collect(Collectors.toMap(entry -> entry.tensor().name(), entry -> entry));
    }

    /**
     * Maps and checks a file.
     *
     * @throws WeightFormatException if it is not a sound safetensors file
     */
    static SafetensorsFile open(Path path, Arena arena) throws IOException {
        MemorySegment file;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        }
        long size = file.byteSize();
        if (size < LENGTH_BYTES) {
            throw new WeightFormatException(
                    "%s has %d bytes, too few for a safetensors file: it starts with %d bytes of header length"
                            .formatted(path, size, LENGTH_BYTES));
        }
        long length = file.get(LENGTH, 0);
        if (length < 2 || length > size - LENGTH_BYTES) {
            throw new WeightFormatException("%s says that its header has %s bytes, but %d bytes follow"
                    .formatted(path, Long.toUnsignedString(length), size - LENGTH_BYTES));
        }
        if (length > SafetensorsHeader.MAX_BYTES) {
            throw new WeightFormatException("%s has a header of %d bytes, expected at most %d"
                    .formatted(path, length, SafetensorsHeader.MAX_BYTES));
        }
        if (file.get(ValueLayout.JAVA_BYTE, LENGTH_BYTES) != '{') {
            throw new WeightFormatException("%s: the header does not start with an opening brace but with byte 0x%02x"
                    .formatted(path, file.get(ValueLayout.JAVA_BYTE, LENGTH_BYTES)));
        }
        MemorySegment header = file.asSlice(LENGTH_BYTES, length);
        MemorySegment data = file.asSlice(LENGTH_BYTES + length);
        try (InputStream text = new SegmentInputStream(header)) {
            return new SafetensorsFile(path, data, SafetensorsHeader.read(path.toString(), text, data.byteSize()));
        }
    }

    Path path() {
        return path;
    }

    Collection<WeightTensor> tensors() {
        return entries.values().stream().map(SafetensorsHeader.Entry::tensor).toList();
    }

    @Nullable
    WeightTensor find(String name) {
        SafetensorsHeader.Entry entry = entries.get(name);
        return entry == null ? null : entry.tensor();
    }

    /** The bytes of a tensor of this file. */
    MemorySegment bytes(String name) {
        SafetensorsHeader.Entry entry = entries.get(name);
        if (entry == null) {
            throw new IllegalArgumentException("%s has no tensor %s".formatted(path, name));
        }
        return data.asSlice(entry.begin(), entry.end() - entry.begin());
    }
}
