package dev.troupe.model.checkpoint;

import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.WeightTensor;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Remembers fingerprints, so that a checkpoint is hashed once: in a file beside the model, or in a cache directory. What
 * is remembered counts only while every file has the size and the time it had then.
 */
public final class FingerprintStore {
    /** Name of the file in a model's directory; beside a GGUF file its name is appended. */
    public static final String FILE = ".troupe-fingerprint";

    private static final Logger LOG = LoggerFactory.getLogger(FingerprintStore.class);
    private static final String MAGIC = "troupe fingerprint store 2";
    private static final long MAX_BYTES = 1 << 28;

    private final @Nullable Path cacheDirectory;

    /** @param cacheDirectory where new ones are written; null for beside the model */
    public FingerprintStore(@Nullable Path cacheDirectory) {
        this.cacheDirectory = cacheDirectory;
    }

    /**
     * The fingerprint of a checkpoint that lies on a disk: the remembered one, or a new one that is remembered if
     * the place can be written to.
     *
     * @param progress told how far the hashing is, if it is needed
     */
    public Fingerprint of(Checkpoint checkpoint, LoadProgress progress) throws IOException {
        Path path = checkpoint.path();
        if (path == null) {
            return Fingerprint.compute(checkpoint, progress);
        }
        SortedMap<String, String> stamps = stamps(checkpoint);
        Path[] places = places(path, checkpoint.directory() == null);
        for (Path file : places) {
            Optional<Fingerprint> known = read(file, checkpoint, stamps);
            if (known.isPresent()) {
                return known.get();
            }
        }
        Fingerprint computed = Fingerprint.compute(checkpoint, progress);
        Path target = places[0];
        try {
            write(target, bytes(computed, stamps));
        } catch (IOException e) {
            LOG.warn("fingerprint of {} is not remembered, and will be computed again: {}", path, e.toString());
        }
        return computed;
    }

    /** Where to look, and the first one where to write. */
    private Path[] places(Path model, boolean isFile) throws IOException {
        Path beside = isFile ? model.resolveSibling(FILE + "-" + model.getFileName()) : model.resolve(FILE);
        if (cacheDirectory == null) {
            return new Path[] {beside};
        }
        byte[] path = model.toRealPath().toString().getBytes(StandardCharsets.UTF_8);
        String key = HexFormat.of().formatHex(Fingerprint.sha256().digest(path));
        return new Path[] {cacheDirectory.resolve(key + ".fingerprint"), beside};
    }

    /** Size and time of every file that takes part. */
    private static SortedMap<String, String> stamps(Checkpoint checkpoint) throws IOException {
        SortedMap<String, String> stamps = new TreeMap<>();
        Path directory = checkpoint.directory();
        for (String name : directory == null ? List.<String>of() : Fingerprint.FILES) {
            if (directory != null && Files.isRegularFile(directory.resolve(name))) {
                stamps.put(name, stamp(directory.resolve(name)));
            }
        }
        Path path = checkpoint.path();
        if (directory == null && path != null) {
            stamps.put(String.valueOf(path.getFileName()), stamp(path));
        }
        for (WeightTensor tensor : checkpoint.weights().tensors()) {
            Path file = Path.of(tensor.file());
            String name = String.valueOf(file.getFileName());
            if (!stamps.containsKey(name)) {
                stamps.put(name, stamp(file));
            }
        }
        return stamps;
    }

    private static String stamp(Path file) throws IOException {
        return "%d %d"
                .formatted(Files.size(file), Files.getLastModifiedTime(file).to(TimeUnit.NANOSECONDS));
    }

    /** What {@code file} remembers; empty if it is absent, damaged, or of files that have changed since. */
    private static Optional<Fingerprint> read(Path file, Checkpoint checkpoint, SortedMap<String, String> stamps)
            throws IOException {
        if (!Files.isRegularFile(file) || Files.size(file) > MAX_BYTES) {
            return Optional.empty();
        }
        byte[] bytes = Files.readAllBytes(file);
        int length = bytes.length - Fingerprint.HASH_BYTES;
        if (length < 0) {
            return Optional.empty();
        }
        byte[] content = Arrays.copyOf(bytes, length);
        byte[] seal = Arrays.copyOfRange(bytes, length, bytes.length);
        if (!Arrays.equals(Fingerprint.sha256().digest(content), seal)) {
            return Optional.empty();
        }
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(content))) {
            if (!in.readUTF().equals(MAGIC) || !readTable(in).equals(stamps)) {
                return Optional.empty();
            }
            Map<String, String> described = readTable(in);
            Map<String, byte[]> pieces = new TreeMap<>();
            for (WeightTensor tensor : checkpoint.weights().tensors()) {
                byte[] hashes = new byte[Fingerprint.pieceCount(tensor) * Fingerprint.HASH_BYTES];
                in.readFully(hashes);
                pieces.put(tensor.name(), hashes);
            }
            return Optional.of(new Fingerprint(described, checkpoint.weights(), pieces));
        }
    }

    private static SortedMap<String, String> readTable(DataInputStream in) throws IOException {
        SortedMap<String, String> table = new TreeMap<>();
        for (int left = in.readInt(); left > 0; left--) {
            table.put(in.readUTF(), in.readUTF());
        }
        return table;
    }

    private static byte[] bytes(Fingerprint fingerprint, SortedMap<String, String> stamps) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeUTF(MAGIC);
            writeTable(out, stamps);
            writeTable(out, fingerprint.described());
            for (byte[] hashes : new TreeMap<>(fingerprint.pieces()).values()) {
                out.write(hashes);
            }
            out.write(Fingerprint.sha256().digest(bytes.toByteArray()));
        }
        return bytes.toByteArray();
    }

    /** Writes beside and renames, so that a reader never sees half of it. */
    private static void write(Path file, byte[] bytes) throws IOException {
        Path parent = file.toAbsolutePath().getParent();
        Files.createDirectories(parent);
        Path temporary = Files.createTempFile(parent, FILE, ".new");
        try {
            Files.write(temporary, bytes);
            Files.move(temporary, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private static void writeTable(DataOutputStream out, SortedMap<String, String> table) throws IOException {
        out.writeInt(table.size());
        for (Map.Entry<String, String> entry : table.entrySet()) {
            out.writeUTF(entry.getKey());
            out.writeUTF(entry.getValue());
        }
    }
}
