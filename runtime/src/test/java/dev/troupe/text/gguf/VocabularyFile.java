package dev.troupe.text.gguf;

import dev.troupe.weights.gguf.GgufFile;
import dev.troupe.weights.gguf.GgufMetadata;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A GGUF file (version 3) that has metadata and no tensor. */
final class VocabularyFile {
    private static final int INT32 = 5;
    private static final int FLOAT32 = 6;
    private static final int BOOL = 7;
    private static final int STRING = 8;
    private static final int ARRAY = 9;

    private final Map<String, byte[]> values = new LinkedHashMap<>();

    VocabularyFile text(String key, String text) {
        return put(key, concat(int32(STRING), string(text)));
    }

    VocabularyFile integer(String key, int value) {
        return put(key, concat(int32(INT32), int32(value)));
    }

    VocabularyFile flag(String key, boolean value) {
        return put(key, concat(int32(BOOL), new byte[] {(byte) (value ? 1 : 0)}));
    }

    VocabularyFile texts(String key, List<String> texts) {
        ByteArrayOutputStream array = new ByteArrayOutputStream();
        array.writeBytes(arrayOf(STRING, texts.size()));
        texts.forEach(text -> array.writeBytes(string(text)));
        return put(key, array.toByteArray());
    }

    VocabularyFile integers(String key, List<Integer> integers) {
        ByteArrayOutputStream array = new ByteArrayOutputStream();
        array.writeBytes(arrayOf(INT32, integers.size()));
        integers.forEach(integer -> array.writeBytes(int32(integer)));
        return put(key, array.toByteArray());
    }

    VocabularyFile numbers(String key, List<Float> numbers) {
        ByteArrayOutputStream array = new ByteArrayOutputStream();
        array.writeBytes(arrayOf(FLOAT32, numbers.size()));
        numbers.forEach(number -> array.writeBytes(int32(Float.floatToRawIntBits(number))));
        return put(key, array.toByteArray());
    }

    VocabularyFile without(String key) {
        values.remove(key);
        return this;
    }

    private VocabularyFile put(String key, byte[] value) {
        values.put(key, value);
        return this;
    }

    byte[] bytes() {
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        file.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        file.writeBytes(int32(3));
        file.writeBytes(int64(0));
        file.writeBytes(int64(values.size()));
        values.forEach((key, value) -> {
            file.writeBytes(string(key));
            file.writeBytes(value);
        });
        return file.toByteArray();
    }

    /** Writes it into {@code folder} and reads its metadata. */
    GgufMetadata metadata(Path folder) throws IOException {
        return GgufFile.open(Files.write(folder.resolve("vocabulary.gguf"), bytes()))
                .metadata();
    }

    private static byte[] arrayOf(int type, int size) {
        return concat(int32(ARRAY), concat(int32(type), int64(size)));
    }

    private static byte[] string(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return concat(int64(utf8.length), utf8);
    }

    private static byte[] int32(int value) {
        return ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array();
    }

    private static byte[] int64(long value) {
        return ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array();
    }

    private static byte[] concat(byte[] first, byte[] second) {
        return ByteBuffer.allocate(first.length + second.length)
                .put(first)
                .put(second)
                .array();
    }
}
