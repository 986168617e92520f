package dev.troupe.weights.gguf;

import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightTensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One memory-mapped GGUF file of version 2 or 3, little endian: header, metadata, tensor table, data. Its metadata and
 * its table are checked when it is opened; the data are not touched. The mapping is released when nothing refers to it
 * any more.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">The GGUF format</a>
 */
public final class GgufFile {
    /** Key of the alignment of tensors, in bytes. */
    static final String ALIGNMENT = "general.alignment";

    static final int DEFAULT_ALIGNMENT = 32;

    /** {@code GGUF} in ASCII, read as a little-endian number. */
    static final int MAGIC = 0x46554747;

    static final int NEWEST_VERSION = 3;

    private static final int OLDEST_VERSION = 2;
    private static final int LEAST_BYTES = 24;
    private static final int MAX_ALIGNMENT = 1 << 16;

    private final Path path;
    private final MemorySegment bytes;
    private final GgufMetadata metadata;
    private final Map<String, GgufTensorTable.Entry> entries = new LinkedHashMap<>();

    private GgufFile(Path path, MemorySegment bytes, GgufMetadata metadata, List<GgufTensorTable.Entry> entries) {
        this.path = path;
        this.bytes = bytes;
        this.metadata = metadata;
        entries.forEach(entry -> this.entries.put(entry.tensor().name(), entry));
    }

    /**
     * Maps and checks a file.
     *
     * @throws WeightFormatException if it is no sound GGUF file, or one of another version or byte order
     */
    public static GgufFile open(Path path) throws IOException {
        MemorySegment bytes;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.ofAuto());
        }
        GgufCursor cursor = new GgufCursor(path.toString(), bytes);
        requireVersion(cursor);
        long tensors = cursor.readLong();
        long keys = cursor.readLong();
        GgufMetadata metadata = GgufMetadata.read(cursor, keys);
        cursor.reading("the header", "");
        return new GgufFile(path, bytes, metadata, GgufTensorTable.read(cursor, tensors, alignment(metadata)));
    }

    private static void requireVersion(GgufCursor cursor) throws WeightFormatException {
        if (cursor.remaining() < LEAST_BYTES) {
            throw new WeightFormatException("%s has %d bytes, too few for a GGUF file: its header has at least %d"
                    .formatted(cursor.file(), cursor.remaining(), LEAST_BYTES));
        }
        int magic = cursor.readInt();
        if (magic != MAGIC) {
            throw new WeightFormatException("%s is no GGUF file: it begins with the bytes 0x%08x, expected GGUF"
                    .formatted(cursor.file(), Integer.reverseBytes(magic)));
        }
        int version = cursor.readInt();
        if ((version & 0xffff) == 0 && version != 0) {
            throw new WeightFormatException(
                    "%s is a big-endian GGUF file (version %s); convert it to little endian, which alone is supported"
                            .formatted(cursor.file(), Integer.toUnsignedString(Integer.reverseBytes(version))));
        }
        if (version < OLDEST_VERSION || version > NEWEST_VERSION) {
            throw new WeightFormatException("%s is a GGUF file of version %s, expected %d or %d"
                    .formatted(cursor.file(), Integer.toUnsignedString(version), OLDEST_VERSION, NEWEST_VERSION));
        }
    }

    private static long alignment(GgufMetadata metadata) throws WeightFormatException {
        long alignment = metadata.integer(ALIGNMENT).orElse(DEFAULT_ALIGNMENT);
        if (alignment < 1 || alignment > MAX_ALIGNMENT || Long.bitCount(alignment) != 1) {
            throw metadata.wrong(ALIGNMENT, "a power of two up to %d".formatted(MAX_ALIGNMENT));
        }
        return alignment;
    }

    public Path path() {
        return path;
    }

    public GgufMetadata metadata() {
        return metadata;
    }

    /** The tensors by ascending position, with their names in the file and their sizes outermost first. */
    public Collection<WeightTensor> tensors() {
        return entries.values().stream().map(GgufTensorTable.Entry::tensor).toList();
    }

    /** The tensor of that name, or null. */
    public @Nullable WeightTensor find(String name) {
        GgufTensorTable.Entry entry = entries.get(name);
        return entry == null ? null : entry.tensor();
    }

    /**
     * A view of the bytes of a tensor.
     *
     * @throws IllegalArgumentException if the file has no tensor of that name
     */
    public MemorySegment bytes(String name) {
        GgufTensorTable.Entry entry = entries.get(name);
        if (entry == null) {
            throw new IllegalArgumentException("%s has no tensor %s".formatted(path, name));
        }
        return bytes.asSlice(entry.begin(), entry.end() - entry.begin());
    }
}
