package dev.troupe.weights.gguf;

import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightTensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A model in GGUF format: one file, or the parts {@code NAME-00001-of-00003.gguf} of a split one, which are opened
 * together whichever of them is named. The first part has the metadata; the keys {@code split.no} (from 0),
 * {@code split.count} and {@code split.tensors.count} of every part must agree with its name and with the others.
 */
public final class GgufParts {
    private static final String NUMBER = "split.no";
    private static final String COUNT = "split.count";
    private static final String TENSORS = "split.tensors.count";

    /** Keys that say how a file is laid out, not what the model is. */
    private static final Set<String> LAYOUT = Set.of(NUMBER, COUNT, TENSORS, GgufFile.ALIGNMENT);

    private static final Pattern PART_NAME = Pattern.compile("(.+)-(\\d{5})-of-(\\d{5})\\.gguf");

    private final List<GgufFile> files;
    private final Map<String, GgufFile> owners = new LinkedHashMap<>();

    private GgufParts(List<GgufFile> files) throws WeightFormatException {
        this.files = files;
        for (GgufFile file : files) {
            for (WeightTensor tensor : file.tensors()) {
                GgufFile other = owners.put(tensor.name(), file);
                if (other != null) {
                    throw new WeightFormatException("%s: tensor %s is in %s already"
                            .formatted(file.path(), WeightFormatException.shown(tensor.name()), other.path()));
                }
            }
        }
    }

    /**
     * Opens the file and, if it is a part, all others beside it.
     *
     * @throws WeightFormatException if a file is malformed, a part is missing, or two of them contradict each other
     */
    public static GgufParts open(Path path) throws IOException {
        GgufFile opened = GgufFile.open(path);
        PartName name = PartName.of(path);
        long count = opened.metadata().integer(COUNT).orElse(1);
        if (name == null && count <= 1) {
            return new GgufParts(List.of(opened));
        }
        if (name == null) {
            throw opened.metadata().wrong(COUNT, "the file to be called NAME-00001-of-%05d.gguf".formatted(count));
        }
        requirePart(opened, name);
        List<GgufFile> files = new ArrayList<>();
        for (int number = 1; number <= name.count(); number++) {
            PartName part = new PartName(name.base(), number, name.count());
            GgufFile file = number == name.number() ? opened : openPart(path, part);
            requirePart(file, part);
            files.add(file);
        }
        GgufParts parts = new GgufParts(List.copyOf(files));
        parts.requireAgreement();
        return parts;
    }

    /** What the name of a part says; numbers count from 1. */
    private record PartName(String base, int number, int count) {
        static @Nullable PartName of(Path path) {
            Matcher matcher = PART_NAME.matcher(String.valueOf(path.getFileName()));
            return matcher.matches()
                    ? new PartName(
                            matcher.group(1), Integer.parseInt(matcher.group(2)), Integer.parseInt(matcher.group(3)))
                    : null;
        }

        String fileName() {
            return "%s-%05d-of-%05d.gguf".formatted(base, number, count);
        }
    }

    private static GgufFile openPart(Path named, PartName part) throws IOException {
        Path path = named.resolveSibling(part.fileName());
        if (!Files.isRegularFile(path)) {
            throw new WeightFormatException("%s is one of %d parts, but there is no %s beside it"
                    .formatted(named, part.count(), part.fileName()));
        }
        return GgufFile.open(path);
    }

    private static void requirePart(GgufFile file, PartName name) throws WeightFormatException {
        GgufMetadata metadata = file.metadata();
        if (name.number() < 1 || name.number() > name.count()) {
            throw new WeightFormatException(
                    "%s calls itself part %d of %d".formatted(file.path(), name.number(), name.count()));
        }
        if (metadata.integer(COUNT).orElse(1) != name.count()) {
            throw metadata.wrong(COUNT, "%d, as its name says".formatted(name.count()));
        }
        if (metadata.integer(NUMBER).orElse(0) != name.number() - 1) {
            throw metadata.wrong(NUMBER, "%d, as its name says".formatted(name.number() - 1));
        }
    }

    private void requireAgreement() throws WeightFormatException {
        for (GgufFile file : files) {
            GgufMetadata own = file.metadata();
            if (own.integer(TENSORS).orElse(owners.size()) != owners.size()) {
                throw own.wrong(
                        TENSORS, "%d, as many as there are in the %d parts".formatted(owners.size(), files.size()));
            }
            for (String key : own.keys()) {
                if (!LAYOUT.contains(key)
                        && (!metadata().has(key)
                                || own.stored(key).mismatch(metadata().stored(key)) >= 0)) {
                    throw own.wrong(
                            key,
                            "%s as in %s"
                                    .formatted(metadata().shown(key), metadata().file()));
                }
            }
        }
    }

    /** The file, or the first part. */
    public Path path() {
        return files.getFirst().path();
    }

    /** What describes the model. */
    public GgufMetadata metadata() {
        return files.getFirst().metadata();
    }

    /** Whether a key says how a file is laid out, and not what the model is: such keys differ between equal models. */
    public static boolean isLayout(String key) {
        return LAYOUT.contains(key);
    }

    /** The tensors of all parts, in the order of the files. */
    public Collection<WeightTensor> tensors() {
        return files.stream().flatMap(file -> file.tensors().stream()).toList();
    }

    /** The tensor of that name, or null. */
    public @Nullable WeightTensor find(String name) {
        GgufFile owner = owners.get(name);
        return owner == null ? null : owner.find(name);
    }

    /**
     * A view of the bytes of a tensor.
     *
     * @throws IllegalArgumentException if no part has a tensor of that name
     */
    public MemorySegment bytes(String name) {
        GgufFile owner = owners.get(name);
        if (owner == null) {
            throw new IllegalArgumentException("%s has no tensor %s".formatted(path(), name));
        }
        return owner.bytes(name);
    }
}
