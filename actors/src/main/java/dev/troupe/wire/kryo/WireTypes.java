package dev.troupe.wire.kryo;

import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Rows;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The closed list of types that may travel between nodes, each with the number that stands for it in the bytes. It is
 * read from {@code wire-types.txt} beside this class, and from the lists of modules above: a new message needs a line there
 * and nothing else.
 */
public final class WireTypes {
    /** Goes up when the meaning of messages changes without their shape. */
    private static final int PROTOCOL_VERSION = 1;

    /** Ids below this belong to Kryo itself. */
    static final int FIRST_ID = 20;

    private static final int LAST_ID = 9_999;
    private static final String RESOURCE = "wire-types.txt";

    /** Lists of modules above this one, where they are on the class path. */
    private static final List<String> MORE_RESOURCES = List.of("wire-types-runtime.txt");

    private final List<Entry> entries;
    private final String schema;

    /** Whether a type is sent by itself, or only inside another one. */
    public enum Use {
        /** May be told to an actor. */
        MESSAGE,
        /** Is only ever a component of a message. */
        PART
    }

    /**
     * One line of the list.
     *
     * @param id never given to another type, also not after this one is gone
     */
    public record Entry(int id, Use use, Class<?> type) {}

    private WireTypes(List<Entry> entries) {
        this.entries = List.copyOf(entries);
        this.schema = schemaOf(this.entries);
    }

    /**
     * The list of this build.
     *
     * @throws IllegalStateException if a line is malformed, or an id or a type stands there twice; it names the line
     */
    public static WireTypes load() {
        String types = read(RESOURCE)
                .orElseThrow(
                        () -> new IllegalStateException(RESOURCE + " is missing beside " + WireTypes.class.getName()));
        String more =
                MORE_RESOURCES.stream().flatMap(name -> read(name).stream()).collect(Collectors.joining("\n"));
        return parse(types + "\n" + more);
    }

    private static Optional<String> read(String resource) {
        try (InputStream in = WireTypes.class.getResourceAsStream(resource)) {
            return in == null ? Optional.empty() : Optional.of(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static WireTypes parse(String text) {
        List<Entry> entries = new ArrayList<>();
        Map<Object, String> seen = new HashMap<>();
        for (String raw : text.lines().toList()) {
            String line = raw.strip();
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            Entry entry = parseLine(line);
            for (Object key : List.of(entry.id(), entry.type())) {
                String other = seen.putIfAbsent(key, line);
                if (other != null) {
                    throw new IllegalStateException("'%s' and '%s' in %s clash: give the new one the next free id"
                            .formatted(other, line, RESOURCE));
                }
            }
            entries.add(entry);
        }
        return new WireTypes(entries);
    }

    private static Entry parseLine(String line) {
        String[] words = line.split("\\s+", -1);
        try {
            if (words.length != 3) {
                throw new IllegalArgumentException("expected: id, message or part, class name");
            }
            int id = Integer.parseInt(words[0]);
            if (id < FIRST_ID || id > LAST_ID) {
                throw new IllegalArgumentException("the id must be in %d to %d".formatted(FIRST_ID, LAST_ID));
            }
            Use use = switch (words[1]) {
                case "message" -> Use.MESSAGE;
                case "part" -> Use.PART;
                default -> throw new IllegalArgumentException("the second word must be message or part");
            };
            return new Entry(id, use, Class.forName(words[2], false, WireTypes.class.getClassLoader()));
        } catch (IllegalArgumentException | ClassNotFoundException e) {
            throw new IllegalStateException("'%s' in %s: %s".formatted(line, RESOURCE, e), e);
        }
    }

    /** All lines in the order of the file. */
    public List<Entry> entries() {
        return entries;
    }

    /** Version and schema as one word: nodes with different ones do not understand each other. */
    public String protocol() {
        return PROTOCOL_VERSION + "-" + schema;
    }

    /**
     * A short hash over every id and the shape of its type, as hexadecimal. Nodes with different ones cannot read each
     * other's messages.
     */
    String schema() {
        return schema;
    }

    private static String schemaOf(List<Entry> entries) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            entries.stream()
                    .sorted((a, b) -> Integer.compare(a.id(), b.id()))
                    .forEach(entry -> digest.update(shapeOf(entry).getBytes(StandardCharsets.UTF_8)));
            return HexFormat.of().formatHex(digest.digest(), 0, 4);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java runtime has SHA-256", e);
        }
    }

    private static String shapeOf(Entry entry) {
        StringBuilder shape = new StringBuilder()
                .append(entry.id())
                .append(' ')
                .append(entry.use())
                .append(' ')
                .append(entry.type().getName());
        if (entry.type().isRecord()) {
            for (RecordComponent component : entry.type().getRecordComponents()) {
                Type type = component.getGenericType();
                shape.append(' ')
                        .append((type == Rows.class ? Floats.class : type).getTypeName()); // as they are written
                if (component.getAnnotatedType().isAnnotationPresent(Nullable.class)) {
                    shape.append('?');
                }
            }
        } else if (entry.type().isEnum()) {
            shape.append(' ').append(Arrays.toString(entry.type().getEnumConstants()));
        }
        return shape.append('\n').toString();
    }
}
