package dev.troupe.node;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.stream.Stream;

/** Copies of the bundled model, to be damaged. */
final class ModelCopies {
    private static final int LENGTH_BYTES = 8;

    private ModelCopies() {}

    /** A copy in a folder {@code name} of {@code parent}, with nothing remembered beside it. */
    static Path copy(Path parent, String name) throws IOException {
        Path from = Path.of("src", "main", "models", Installation.BUNDLED_MODEL);
        Path to = Files.createDirectory(parent.resolve(name));
        try (Stream<Path> files = Files.list(from)) {
            files.filter(file -> !file.getFileName().toString().startsWith(".")).forEach(file -> {
                try {
                    Files.copy(file, to.resolve(file.getFileName()));
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
        return to;
    }

    /** Flips the lowest bit of one byte in the middle of a tensor. */
    static void damage(Path model, String tensor) throws IOException {
        try (FileChannel file = FileChannel.open(
                model.resolve("model.safetensors"), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer length = ByteBuffer.allocate(LENGTH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            file.read(length, 0);
            ByteBuffer header = ByteBuffer.allocate(Math.toIntExact(length.getLong(0)));
            file.read(header, LENGTH_BYTES);
            JsonNode offsets =
                    new ObjectMapper().readTree(header.array()).get(tensor).get("data_offsets");
            long middle = (offsets.get(0).asLong() + offsets.get(1).asLong()) / 2;
            long at = LENGTH_BYTES + header.capacity() + middle;
            ByteBuffer one = ByteBuffer.allocate(1);
            file.read(one, at);
            one.put(0, (byte) (one.get(0) ^ 1)).rewind();
            file.write(one, at);
        }
    }

    /** The same, so that neither size nor time tells. */
    static void damageUnseen(Path model, String tensor) throws IOException {
        Path weights = model.resolve("model.safetensors");
        FileTime before = Files.getLastModifiedTime(weights);
        damage(model, tensor);
        Files.setLastModifiedTime(weights, before);
    }
}
