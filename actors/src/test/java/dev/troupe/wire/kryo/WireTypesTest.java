package dev.troupe.wire.kryo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.Test;

class WireTypesTest {
    /** Sealed types that never leave a JVM, each with its reason: their permitted types need no id. */
    private static final Set<String> LOCAL = Set.of(
            // A scheduler asks the placer of its own node.
            "dev.troupe.serving.Placement$Command",
            "dev.troupe.serving.Placement$Outcome",
            // A generation asks the router of its own node.
            "dev.troupe.serving.Router$Route",
            // A node works out for itself what its cluster outlives.
            "dev.troupe.plan.Survival$Replica",
            // A node compares newcomers with itself.
            "dev.troupe.cluster.guardian.Acquaintance$Command",
            // A node speaks with its own resolver and watch; only reports go to other nodes.
            "dev.troupe.cluster.slot.SlotResolver$Command",
            "dev.troupe.cluster.watch.NodeWatch$Watch",
            "dev.troupe.cluster.watch.NodeWatch$LaneLost",
            "dev.troupe.cluster.watch.NodeWatch$Subscription");

    private static final List<String> PACKAGES =
            List.of("stage", "serving", "generation", "cluster", "plan", "kvcache");

    private final WireTypes types = WireTypes.load();

    @Test
    void neverMovesAnId() throws IOException {
        List<String> golden = golden();

        List<String> now = types.entries().stream()
                .map(e -> e.id() + " " + e.type().getName())
                .toList();

        assertThat(now)
                .as("ids are for ever: add new lines to wire-types-golden.txt, never change one")
                .containsAll(
                        golden.stream().filter(line -> !line.startsWith("-")).toList());
        assertThat(golden)
                .as("new ids must be noted in wire-types-golden.txt, so that they cannot move later")
                .containsAll(now);
        Set<String> retired = golden.stream()
                .filter(line -> line.startsWith("-"))
                .map(line -> line.substring(1).split(" ", 2)[0])
                .collect(Collectors.toSet());
        assertThat(now).noneMatch(line -> retired.contains(line.split(" ", 2)[0]));
    }

    private static List<String> golden() throws IOException {
        try (InputStream in = WireTypesTest.class.getResourceAsStream("wire-types-golden.txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .toList();
        }
    }

    @Test
    void knowsEveryPublicTypeOfEveryProtocol() throws IOException {
        Set<Class<?>> registered = registered();

        Set<String> missing = new TreeSet<>();
        for (Class<?> type : ourClasses()) {
            if (type.isSealed() && type.isInterface() && !isLocal(type)) {
                leaves(type)
                        .filter(leaf -> isPublic(leaf) && !isLocal(leaf) && !registered.contains(leaf))
                        .forEach(leaf -> missing.add(leaf.getName()));
            }
        }

        assertThat(missing)
                .as("give these lines in wire-types.txt, or name their sealed interface in LOCAL with the reason")
                .isEmpty();
    }

    @Test
    void knowsWhatAnyActorReferenceOnTheWireMayBeTold() {
        Set<Class<?>> registered = registered();

        Set<String> missing = new TreeSet<>();
        for (Class<?> type : registered) {
            if (type.isRecord()) {
                toldTo(type)
                        .flatMap(WireTypesTest::leaves)
                        .filter(leaf -> isPublic(leaf) && !registered.contains(leaf))
                        .forEach(leaf -> missing.add(leaf.getName()));
            }
        }

        assertThat(missing).isEmpty();
    }

    private static Stream<Class<?>> toldTo(Class<?> record) {
        return Arrays.stream(record.getRecordComponents())
                .map(RecordComponent::getGenericType)
                .filter(type -> type instanceof ParameterizedType p && p.getRawType() == ActorRef.class)
                .map(type -> ((ParameterizedType) type).getActualTypeArguments()[0])
                .<Class<?>>map(WireTypesTest::raw);
    }

    private static Class<?> raw(Type type) {
        return type instanceof ParameterizedType p ? (Class<?>) p.getRawType() : (Class<?>) type;
    }

    private Set<Class<?>> registered() {
        return types.entries().stream().map(WireTypes.Entry::type).collect(Collectors.toSet());
    }

    private static Stream<Class<?>> leaves(Class<?> type) {
        return type.isSealed()
                ? Arrays.stream(type.getPermittedSubclasses()).flatMap(WireTypesTest::leaves)
                : Stream.of(type);
    }

    private static boolean isLocal(Class<?> type) {
        return LOCAL.contains(type.getName());
    }

    private static boolean isPublic(Class<?> type) {
        for (Class<?> c = type; c != null; c = c.getEnclosingClass()) {
            if (!Modifier.isPublic(c.getModifiers())) {
                return false;
            }
        }
        return true;
    }

    private static List<Class<?>> ourClasses() throws IOException {
        Path root = Path.of("target", "classes");
        List<Class<?>> found = new ArrayList<>();
        for (String name : PACKAGES) {
            Path directory = root.resolve(Path.of("dev", "troupe", name));
            try (Stream<Path> files = Files.walk(directory)) {
                for (Path file :
                        files.filter(f -> f.toString().endsWith(".class")).toList()) {
                    String relative = root.relativize(file).toString();
                    found.add(load(relative.substring(0, relative.length() - 6).replace('/', '.')));
                }
            }
        }
        assertThat(found).hasSizeGreaterThan(30);
        return found;
    }

    private static Class<?> load(String name) {
        try {
            return Class.forName(name, false, WireTypesTest.class.getClassLoader());
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void refusesAnIdGivenTwice() {
        String twice = "30 part dev.troupe.stage.Epoch\n30 part dev.troupe.stage.ShardId";

        assertThatThrownBy(() -> WireTypes.parse(twice))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("30 part dev.troupe.stage.Epoch")
                .hasMessageContaining("30 part dev.troupe.stage.ShardId")
                .hasMessageContaining("next free id");
    }

    @Test
    void refusesALineThatNamesNoClass() {
        assertThatThrownBy(() -> WireTypes.parse("30 part dev.troupe.stage.Epok"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("dev.troupe.stage.Epok");
    }

    @Test
    void hasAnotherSchemaWhenAShapeDiffers() {
        String one = WireTypes.parse("30 part dev.troupe.stage.Epoch").schema();

        assertThat(WireTypes.parse("30 part dev.troupe.stage.Epoch").schema()).isEqualTo(one);
        assertThat(WireTypes.parse("30 part dev.troupe.stage.ShardId").schema()).isNotEqualTo(one);
        assertThat(WireTypes.parse("31 part dev.troupe.stage.Epoch").schema()).isNotEqualTo(one);
        assertThat(WireTypes.parse("30 message dev.troupe.stage.Epoch").schema())
                .isNotEqualTo(one);
    }
}
