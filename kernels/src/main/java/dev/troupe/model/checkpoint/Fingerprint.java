package dev.troupe.model.checkpoint;

import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightSource;
import dev.troupe.weights.WeightTensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What makes two checkpoints the same model: SHA-256 over the configuration and tokenizer files, the tensor table, and
 * a hash of every piece of 64 rows of each tensor. Nodes that hold different slices agree by comparing the fingerprints,
 * and each node verifies the pieces it packs against the list behind its own.
 *
 * <p>The value is the hash of the parts by name; a part is a file's hash, or a tensor's type, shape and piece hashes.
 */
public final class Fingerprint {
    /** Rows of a tensor that are hashed together. */
    public static final int PIECE_ROWS = 64;

    /** Bytes of a hash. */
    static final int HASH_BYTES = 32;

    /** Files beside the weights that are part of the model, where they are present. */
    static final List<String> FILES =
            List.of("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json");

    private static final String VERSION = "troupe fingerprint 1";
    private static final int COPY_BYTES = 1 << 16;

    private final String value;
    private final SortedMap<String, String> files;
    private final SortedMap<String, String> parts;
    private final Map<String, byte[]> pieces;

    /**
     * @param files SHA-256 of each present one of {@link #FILES}, in hexadecimal
     * @param pieces by tensor name, the hashes of its pieces one after the other
     */
    Fingerprint(Map<String, String> files, WeightSource weights, Map<String, byte[]> pieces) {
        this.files = new TreeMap<>(files);
        this.pieces = Map.copyOf(pieces);
        this.parts = new TreeMap<>();
        files.forEach((name, hash) -> parts.put("file " + name, hash));
        for (WeightTensor tensor : weights.tensors()) {
            MessageDigest digest = sha256();
            update(digest, tensor.typeName());
            update(digest, tensor.shape().toString());
            digest.update(Objects.requireNonNull(pieces.get(tensor.name())));
            parts.put("tensor " + tensor.name(), HexFormat.of().formatHex(digest.digest()));
        }
        MessageDigest digest = sha256();
        update(digest, VERSION);
        parts.forEach((name, hash) -> {
            update(digest, name);
            update(digest, hash);
        });
        this.value = HexFormat.of().formatHex(digest.digest());
    }

    /**
     * Reads the whole checkpoint; see {@link FingerprintStore} for one that remembers.
     *
     * @param progress told after every piece
     */
    public static Fingerprint compute(Checkpoint checkpoint, LoadProgress progress) throws IOException {
        Map<String, String> files = new TreeMap<>();
        Path directory = checkpoint.directory();
        if (directory != null) {
            for (String name : FILES) {
                Path file = directory.resolve(name);
                if (Files.isRegularFile(file)) {
                    files.put(name, HexFormat.of().formatHex(sha256().digest(Files.readAllBytes(file))));
                }
            }
        }
        WeightSource weights = checkpoint.weights();
        long total =
                weights.tensors().stream().mapToLong(WeightTensor::byteSize).sum();
        long done = 0;
        Map<String, byte[]> pieces = new TreeMap<>();
        for (WeightTensor tensor : weights.tensors()) {
            int count = pieceCount(tensor);
            byte[] hashes = new byte[Math.multiplyExact(count, HASH_BYTES)];
            for (int piece = 0; piece < count; piece++) {
                System.arraycopy(hash(weights, tensor, piece), 0, hashes, piece * HASH_BYTES, HASH_BYTES);
                done += Math.min(PIECE_ROWS, tensor.rows() - (long) piece * PIECE_ROWS) * tensor.rowBytes();
                progress.at(done, total);
            }
            pieces.put(tensor.name(), hashes);
        }
        return new Fingerprint(files, weights, pieces);
    }

    /** Pieces of a tensor; the last one may have fewer rows. */
    static int pieceCount(WeightTensor tensor) {
        return Math.toIntExact(Math.ceilDiv(tensor.rows(), (long) PIECE_ROWS));
    }

    private static byte[] hash(WeightSource weights, WeightTensor tensor, int piece) {
        long from = (long) piece * PIECE_ROWS;
        long to = Math.min(tensor.rows(), from + PIECE_ROWS);
        MessageDigest digest = sha256();
        byte[] buffer = new byte[COPY_BYTES];
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment rows = weights.rows(tensor, from, to, scratch);
            for (long at = 0; at < rows.byteSize(); at += COPY_BYTES) {
                int count = (int) Math.min(COPY_BYTES, rows.byteSize() - at);
                MemorySegment.copy(rows, ValueLayout.JAVA_BYTE, at, buffer, 0, count);
                digest.update(buffer, 0, count);
            }
        }
        return digest.digest();
    }

    /** 64 hexadecimal digits. */
    public String value() {
        return value;
    }

    /** Hash of every part by its name, {@code file config.json} or {@code tensor lm_head.weight}. */
    public SortedMap<String, String> parts() {
        return Collections.unmodifiableSortedMap(parts);
    }

    /** Hashes of {@link #FILES}. */
    SortedMap<String, String> files() {
        return files;
    }

    /** Piece hashes of each tensor. */
    Map<String, byte[]> pieces() {
        return pieces;
    }

    /** The first part, by name, that is not the same among {@code others}. */
    public Optional<String> firstDifference(Map<String, String> others) {
        TreeSet<String> names = new TreeSet<>(parts.keySet());
        names.addAll(others.keySet());
        return names.stream()
                .filter(name -> !Objects.equals(parts.get(name), others.get(name)))
                .findFirst();
    }

    /** Compares every piece that a load touches with this fingerprint. */
    public RowCheck check(WeightSource weights) {
        return (tensor, fromRow, toRow) -> {
            byte[] expected = pieces.get(tensor.name());
            int last = Math.toIntExact(Math.ceilDiv(toRow, (long) PIECE_ROWS));
            for (int piece = Math.toIntExact(fromRow / PIECE_ROWS); piece < last; piece++) {
                int at = piece * HASH_BYTES;
                boolean same = expected != null
                        && at + HASH_BYTES <= expected.length
                        && Arrays.equals(hash(weights, tensor, piece), 0, HASH_BYTES, expected, at, at + HASH_BYTES);
                if (!same) {
                    throw mismatch(tensor, piece);
                }
            }
        };
    }

    private WeightFormatException mismatch(WeightTensor tensor, int piece) {
        return new WeightFormatException(
                "%s: rows %d to %d of tensor '%s' are not those that fingerprint %s was made of; the file has changed or is damaged: restore it, or remove the stored fingerprint to accept it as another model"
                        .formatted(
                                tensor.file(),
                                (long) piece * PIECE_ROWS,
                                Math.min(tensor.rows(), (piece + 1L) * PIECE_ROWS) - 1,
                                tensor.name(),
                                value));
    }

    private static void update(MessageDigest digest, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        digest.update(ByteBuffer.allocate(4).putInt(bytes.length).array());
        digest.update(bytes);
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
