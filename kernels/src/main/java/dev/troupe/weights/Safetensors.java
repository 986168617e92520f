package dev.troupe.weights;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A checkpoint in safetensors format, memory-mapped: one {@code model.safetensors}, or several files that
 * {@code model.safetensors.index.json} lists. Nothing is read before it is asked for.
 *
 * <p>The mappings are released when nothing refers to them any more, so that a view can never point to memory that is
 * gone; {@link #close()} has nothing to do.
 */
public final class Safetensors implements WeightSource {
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";
    private static final long MAX_INDEX_BYTES = 100_000_000;

    private final Path path;
    private final SortedMap<String, WeightTensor> tensors = new TreeMap<>();
    private final Map<String, SafetensorsFile> files = new HashMap<>();

    private Safetensors(Path path) {
        this.path = path;
    }

    /**
     * Opens a file, or a directory with {@code model.safetensors} or {@code model.safetensors.index.json}.
     *
     * @throws WeightFormatException if a file is malformed, or the index and the files contradict each other
     */
    public static Safetensors open(Path path) throws IOException {
        Safetensors weights = new Safetensors(path);
        if (Files.isRegularFile(path)) {
            weights.addAll(path);
        } else if (Files.isRegularFile(path.resolve(SINGLE))) {
            weights.addAll(path.resolve(SINGLE));
        } else if (Files.isRegularFile(path.resolve(INDEX))) {
            weights.addIndexed(path.resolve(INDEX));
        } else {
            throw new WeightFormatException(
                    "%s holds no weights: expected %s or %s in it".formatted(path, SINGLE, INDEX));
        }
        return weights;
    }

    private void addAll(Path file) throws IOException {
        SafetensorsFile opened = SafetensorsFile.open(file, Arena.ofAuto());
        for (WeightTensor tensor : opened.tensors()) {
            tensors.put(tensor.name(), tensor);
            files.put(tensor.name(), opened);
        }
    }

    private void addIndexed(Path index) throws IOException {
        ObjectNode object = StrictJson.object(index, MAX_INDEX_BYTES);
        if (!(object.get("weight_map") instanceof ObjectNode map) || map.isEmpty()) {
            throw new WeightFormatException("%s has no weight_map with a file for every tensor".formatted(index));
        }
        Map<String, SafetensorsFile> opened = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : map.properties()) {
            String name = entry.getKey();
            String fileName = fileName(index, name, entry.getValue());
            SafetensorsFile file = opened.get(fileName);
            if (file == null) {
                file = SafetensorsFile.open(requireListed(index, name, fileName), Arena.ofAuto());
                opened.put(fileName, file);
            }
            WeightTensor tensor = file.find(name);
            if (tensor == null) {
                throw new WeightFormatException("%s puts tensor %s into %s, which does not have it"
                        .formatted(index, WeightFormatException.shown(name), fileName));
            }
            tensors.put(name, tensor);
            files.put(name, file);
        }
    }

    /** A file name without any directory: an index must not reach outside its own. */
    private static String fileName(Path index, String tensor, JsonNode value) throws WeightFormatException {
        String name = value.isTextual() ? value.textValue() : "";
        boolean plain = name.endsWith(".safetensors")
                && name.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || Character.isISOControl(c));
        if (!plain) {
            throw new WeightFormatException(
                    "%s puts tensor %s into %s, expected the name of a .safetensors file in the same directory"
                            .formatted(
                                    index,
                                    WeightFormatException.shown(tensor),
                                    WeightFormatException.shown(value.isTextual() ? name : value.toString())));
        }
        return name;
    }

    private static Path requireListed(Path index, String tensor, String fileName) throws WeightFormatException {
        Path file = index.resolveSibling(fileName);
        if (!Files.isRegularFile(file)) {
            throw new WeightFormatException("%s puts tensor %s into %s, but there is no such file"
                    .formatted(index, WeightFormatException.shown(tensor), WeightFormatException.shown(fileName)));
        }
        return file;
    }

    @Override
    public String description() {
        return path.toString();
    }

    @Override
    public Collection<WeightTensor> tensors() {
        return Collections.unmodifiableCollection(tensors.values());
    }

    @Override
    public @Nullable WeightTensor find(String name) {
        return tensors.get(name);
    }

    @Override
    public MemorySegment rows(WeightTensor tensor, long fromRow, long toRow, Arena arena) {
        Objects.checkFromToIndex(fromRow, toRow, tensor.rows());
        SafetensorsFile file = files.get(tensor.name());
        if (file == null || !tensor.equals(tensors.get(tensor.name()))) {
            throw new IllegalArgumentException("%s is no tensor of %s".formatted(tensor, path));
        }
        return file.bytes(tensor.name()).asSlice(fromRow * tensor.rowBytes(), (toRow - fromRow) * tensor.rowBytes());
    }

    @Override
    public void close() {}
}
