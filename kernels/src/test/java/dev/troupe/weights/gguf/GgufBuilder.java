package dev.troupe.weights.gguf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Builds GGUF files byte by byte, wrong ones as well as right ones. */
public final class GgufBuilder {
    private int magic = 0x46554747;
    private int version = 3;
    private @Nullable Long tensorCount;
    private @Nullable Long keyCount;
    private int alignment = 32;
    private ByteOrder order = ByteOrder.LITTLE_ENDIAN;
    private final List<byte[]> keys = new ArrayList<>();
    private final List<byte[]> tensors = new ArrayList<>();
    private final ByteArrayOutputStream data = new ByteArrayOutputStream();

    public GgufBuilder magic(int value) {
        magic = value;
        return this;
    }

    public GgufBuilder version(int value) {
        version = value;
        return this;
    }

    /** What the header says, instead of the truth. */
    public GgufBuilder tensorCount(long value) {
        tensorCount = value;
        return this;
    }

    /** What the header says, instead of the truth. */
    public GgufBuilder keyCount(long value) {
        keyCount = value;
        return this;
    }

    /** Where data are put, without a key that says so. */
    public GgufBuilder alignment(int value) {
        alignment = value;
        return this;
    }

    /** To be called first. */
    public GgufBuilder bigEndian() {
        order = ByteOrder.BIG_ENDIAN;
        magic = Integer.reverseBytes(magic);
        return this;
    }

    public GgufBuilder text(String key, String value) {
        return key(key, 8, bytes(value));
    }

    public GgufBuilder uint32(String key, long value) {
        return key(key, 4, ints((int) value));
    }

    public GgufBuilder float32(String key, float value) {
        return key(key, 6, ints(Float.floatToRawIntBits(value)));
    }

    public GgufBuilder flag(String key, int value) {
        return key(key, 7, new byte[] {(byte) value});
    }

    public GgufBuilder texts(String key, String... values) {
        byte[][] parts = new byte[values.length][];
        for (int i = 0; i < values.length; i++) {
            parts[i] = bytes(values[i]);
        }
        return array(key, 8, values.length, join(parts));
    }

    public GgufBuilder int32s(String key, int... values) {
        return array(key, 5, values.length, ints(values));
    }

    /** An array with any count and any bytes. */
    public GgufBuilder array(String key, int element, long count, byte[] elements) {
        return key(key, 9, join(ints(element), longs(count), elements));
    }

    /** A key with any type and any bytes. */
    public GgufBuilder key(String key, int type, byte[] value) {
        return rawKey(bytes(key), type, value);
    }

    /** A key whose length is part of the bytes. */
    public GgufBuilder rawKey(byte[] key, int type, byte[] value) {
        keys.add(join(key, ints(type), value));
        return this;
    }

    /** A tensor of f32 with sizes innermost first, its data behind those that are there. */
    public GgufBuilder floats(String name, float[] values, long... sizes) {
        byte[] bytes = new byte[4 * values.length];
        ByteBuffer.wrap(bytes).order(order).asFloatBuffer().put(values);
        return tensor(name, 0, bytes, sizes);
    }

    /** A tensor of any type, its data behind those that are there. */
    public GgufBuilder tensor(String name, int type, byte[] bytes, long... sizes) {
        while (data.size() % alignment != 0) {
            data.write(0);
        }
        entry(name, type, data.size(), sizes);
        data.writeBytes(bytes);
        return this;
    }

    /** A line of the table without data. */
    public GgufBuilder entry(String name, int type, long offset, long... sizes) {
        return rawEntry(bytes(name), sizes.length, type, offset, sizes);
    }

    /** A line of the table whose name has its length among its bytes, and which may lie about its dimensions. */
    public GgufBuilder rawEntry(byte[] name, int dimensions, int type, long offset, long... sizes) {
        tensors.add(join(name, ints(dimensions), longs(sizes), ints(type), longs(offset)));
        return this;
    }

    /** Bytes at the end of the data. */
    public GgufBuilder data(int count) {
        data.writeBytes(new byte[count]);
        return this;
    }

    public byte[] build() {
        byte[] header = join(
                join(ints(magic, version)),
                longs(tensorCount == null ? tensors.size() : tensorCount, keyCount == null ? keys.size() : keyCount),
                join(keys.toArray(byte[][]::new)),
                join(tensors.toArray(byte[][]::new)));
        byte[] padding = new byte[data.size() == 0 ? 0 : (alignment - header.length % alignment) % alignment];
        return join(header, padding, data.toByteArray());
    }

    /** Writes the file and gives its path back. */
    public Path write(Path file) throws IOException {
        return Files.write(file, build());
    }

    public byte[] bytes(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return join(longs(utf8.length), utf8);
    }

    public byte[] ints(int... values) {
        ByteBuffer buffer = ByteBuffer.allocate(4 * values.length).order(order);
        buffer.asIntBuffer().put(values);
        return buffer.array();
    }

    public byte[] longs(long... values) {
        ByteBuffer buffer = ByteBuffer.allocate(8 * values.length).order(order);
        buffer.asLongBuffer().put(values);
        return buffer.array();
    }

    public static byte[] join(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }
}
