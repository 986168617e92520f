package dev.troupe.weights.gguf;

import dev.troupe.tensor.DType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Writes a GGUF file of version 3: keys and tensors in the order in which they are added, so that the same calls give the
 * same bytes. Not safe for use by several threads.
 */
public final class GgufWriter {
    private static final int LARGEST_COPY = 1 << 30;

    private final ByteArrayOutputStream metadata = new ByteArrayOutputStream();
    private final Set<String> names = new HashSet<>();
    private final List<Tensor> tensors = new ArrayList<>();
    private int keys;

    /** Gives the bytes of a tensor when they are written. */
    @FunctionalInterface
    public interface Data {
        /** @throws IOException if they cannot be read */
        MemorySegment bytes() throws IOException;
    }

    private record Tensor(String name, DType type, List<Long> shape, long byteSize, Data data) {}

    /** Adds a text. */
    public GgufWriter text(String key, String value) {
        begin(key, GgufValueType.STRING);
        metadata.writeBytes(encoded(value));
        return this;
    }

    /** Adds a uint32. */
    public GgufWriter integer(String key, long value) {
        if (value < 0 || value > 0xffff_ffffL) {
            throw new IllegalArgumentException("%s = %d, expected 0 to %d".formatted(key, value, 0xffff_ffffL));
        }
        begin(key, GgufValueType.UINT32);
        metadata.writeBytes(ints((int) value));
        return this;
    }

    /** Adds a float32. */
    public GgufWriter number(String key, float value) {
        begin(key, GgufValueType.FLOAT32);
        metadata.writeBytes(ints(Float.floatToRawIntBits(value)));
        return this;
    }

    /** Adds a bool. */
    public GgufWriter flag(String key, boolean value) {
        begin(key, GgufValueType.BOOL);
        metadata.write(value ? 1 : 0);
        return this;
    }

    /** Adds an array of texts. */
    public GgufWriter texts(String key, Collection<String> values) {
        begin(key, GgufValueType.STRING, values.size());
        values.forEach(value -> metadata.writeBytes(encoded(value)));
        return this;
    }

    /** Adds an array of int32. */
    public GgufWriter integers(String key, int... values) {
        begin(key, GgufValueType.INT32, values.length);
        metadata.writeBytes(ints(values));
        return this;
    }

    /** Adds an array of float32. */
    public GgufWriter numbers(String key, float... values) {
        begin(key, GgufValueType.FLOAT32, values.length);
        for (float value : values) {
            metadata.writeBytes(ints(Float.floatToRawIntBits(value)));
        }
        return this;
    }

    /**
     * Adds a value as it lies in another file.
     *
     * @param value as {@link GgufMetadata#stored} gives it
     */
    public GgufWriter stored(String key, MemorySegment value) {
        requireNew("key " + key);
        keys++;
        metadata.writeBytes(encoded(key));
        metadata.writeBytes(value.toArray(ValueLayout.JAVA_BYTE));
        return this;
    }

    private void begin(String key, GgufValueType element, int count) {
        begin(key, GgufValueType.ARRAY);
        metadata.writeBytes(ints(element.id()));
        metadata.writeBytes(longs(count));
    }

    private void begin(String key, GgufValueType type) {
        requireNew("key " + key);
        keys++;
        metadata.writeBytes(encoded(key));
        metadata.writeBytes(ints(type.id()));
    }

    /**
     * Adds a tensor.
     *
     * @param shape sizes, outermost first
     * @param data asked for its bytes once, by {@link #write}
     * @throws IllegalArgumentException if the name was added before, or the rows do not fill whole blocks
     */
    public GgufWriter tensor(String name, DType type, List<Long> shape, Data data) {
        requireNew("tensor " + name);
        long bytes = type.rowBytes(shape.getLast());
        for (long size : shape.subList(0, shape.size() - 1)) {
            bytes = Math.multiplyExact(bytes, size);
        }
        tensors.add(new Tensor(name, type, List.copyOf(shape), bytes, data));
        return this;
    }

    private void requireNew(String what) {
        if (!names.add(what)) {
            throw new IllegalArgumentException("%s was added before".formatted(what));
        }
    }

    /**
     * Writes the file, beside and renamed at the end, so that nobody sees half of it. Replaces one that is there. What lies
     * beside is removed also where the process is interrupted.
     *
     * @throws IllegalStateException if a tensor's data have another size than its shape
     */
    public void write(Path file) throws IOException {
        Path temporary = file.resolveSibling(".%s.%d.part"
                .formatted(file.getFileName(), ProcessHandle.current().pid()));
        temporary.toFile().deleteOnExit();
        try {
            try (FileChannel channel = FileChannel.open(
                    temporary,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE)) {
                writeAll(channel, ByteBuffer.wrap(header()));
                for (Tensor tensor : tensors) {
                    writeTensor(channel, tensor);
                }
            }
            Files.move(temporary, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private byte[] header() {
        ByteArrayOutputStream header = new ByteArrayOutputStream();
        header.writeBytes(ints(GgufFile.MAGIC, GgufFile.NEWEST_VERSION));
        header.writeBytes(longs(tensors.size(), keys));
        header.writeBytes(metadata.toByteArray());
        long offset = 0;
        for (Tensor tensor : tensors) {
            header.writeBytes(encoded(tensor.name()));
            header.writeBytes(ints(tensor.shape().size()));
            tensor.shape().reversed().forEach(size -> header.writeBytes(longs(size)));
            header.writeBytes(ints(GgufType.of(tensor.type()).id()));
            header.writeBytes(longs(offset));
            offset += tensor.byteSize() + padding(tensor.byteSize());
        }
        header.writeBytes(new byte[padding(header.size())]);
        return header.toByteArray();
    }

    private static void writeTensor(FileChannel channel, Tensor tensor) throws IOException {
        MemorySegment bytes = tensor.data().bytes();
        if (bytes.byteSize() != tensor.byteSize()) {
            throw new IllegalStateException("tensor %s of type %s and shape %s takes %d bytes, its data have %d"
                    .formatted(
                            tensor.name(), tensor.type().label(), tensor.shape(), tensor.byteSize(), bytes.byteSize()));
        }
        for (long at = 0; at < bytes.byteSize(); at += LARGEST_COPY) {
            writeAll(
                    channel,
                    bytes.asSlice(at, Math.min(LARGEST_COPY, bytes.byteSize() - at))
                            .asByteBuffer());
        }
        writeAll(channel, ByteBuffer.allocate(padding(bytes.byteSize())));
    }

    private static void writeAll(FileChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    private static int padding(long size) {
        return (int) (Math.ceilDiv(size, (long) GgufFile.DEFAULT_ALIGNMENT) * GgufFile.DEFAULT_ALIGNMENT - size);
    }

    private static byte[] encoded(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        ByteBuffer buffer = ByteBuffer.allocate(Long.BYTES + utf8.length).order(ByteOrder.LITTLE_ENDIAN);
        return buffer.putLong(utf8.length).put(utf8).array();
    }

    private static byte[] ints(int... values) {
        ByteBuffer buffer = ByteBuffer.allocate(Integer.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
        buffer.asIntBuffer().put(values);
        return buffer.array();
    }

    private static byte[] longs(long... values) {
        ByteBuffer buffer = ByteBuffer.allocate(Long.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
        buffer.asLongBuffer().put(values);
        return buffer.array();
    }
}
