package dev.troupe.model.checkpoint;

import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightSource;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufMetadata;
import dev.troupe.weights.gguf.GgufParts;
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
 * What makes two checkpoints the same model: SHA-256 over the configuration and tokenizer files or the metadata of a GGUF
 * file, the tensor table, and a hash of every piece of 64 rows of each tensor. Nodes that hold different slices agree by comparing the fingerprints,
 * and each node verifies the pieces it packs against the list behind its own.
 *
 * <p>The value is the hash of the parts by name; a part is the hash of a file, of the value
 * of a metadata key, or of a tensor's type, shape and piece hashes.
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
    private final SortedMap<String, String> described;
    private final SortedMap<String, String> parts;
    private final Map<String, byte[]> pieces;

    /**
     * @param described SHA-256, in hexadecimal, of each part that is no tensor, by its name
     * @param pieces by tensor name, the hashes of its pieces one after the other
     */
    Fingerprint(Map<String, String> described, WeightSource weights, Map<String, byte[]> pieces) {
        this.described = new TreeMap<>(described);
        this.pieces = Map.copyOf(pieces);
        this.parts = new TreeMap<>(described);
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
        return new Fingerprint(describe(checkpoint), weights, pieces);
    }

    private static Map<String, String> describe(Checkpoint checkpoint) throws IOException {
        Map<String, String> described = new TreeMap<>();
        Path directory = checkpoint.directory();
        if (directory != null) {
            for (String name : FILES) {
                Path file = directory.resolve(name);
                if (Files.isRegularFile(file)) {
                    described.put("file " + name, HexFormat.of().formatHex(sha256().digest(Files.readAllBytes(file))));
                }
            }
        }
        GgufMetadata metadata = checkpoint.metadata();
        if (metadata != null) {
            for (String key : metadata.keys()) {
                if (!GgufParts.isLayout(key)) {
                    described.put("key " + key, HexFormat.of().formatHex(hash(metadata.stored(key))));
                }
            }
        }
        return described;
    }

    /** Pieces of a tensor; the last one may have fewer rows. */
    static int pieceCount(WeightTensor tensor) {
        return Math.toIntExact(Math.ceilDiv(tensor.rows(), (long) PIECE_ROWS));
    }

    private static byte[] hash(WeightSource weights, WeightTensor tensor, int piece) {
        long from = (long) piece * PIECE_ROWS;
        long to = Math.min(tensor.rows(), from + PIECE_ROWS);
        try (Arena scratch = Arena.ofConfined()) {
            return hash(weights.rows(tensor, from, to, scratch));
        }
    }

    private static byte[] hash(MemorySegment bytes) {
        MessageDigest digest = sha256();
        byte[] buffer = new byte[(int) Math.min(COPY_BYTES, bytes.byteSize())];
        for (long at = 0; at < bytes.byteSize(); at += buffer.length) {
            int count = (int) Math.min(buffer.length, bytes.byteSize() - at);
            MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, at, buffer, 0, count);
            digest.update(buffer, 0, count);
        }
        return digest.digest();
    }

    /** 64 hexadecimal digits. */
    public String value() {
        return value;
    }

    /**
     * Hash of every part by its name, {@code file config.json}, {@code key llama.block_count} or
     * {@code tensor lm_head.weight}.
     */
    public SortedMap<String, String> parts() {
        return Collections.unmodifiableSortedMap(parts);
    }

    /** The parts that are no tensors. */
    SortedMap<String, String> described() {
        return described;
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
