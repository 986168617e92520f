package dev.troupe.wire.kryo;

import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.guardian.RegisteredModel;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.model.Partition;
import dev.troupe.plan.DeviceProfile;
import dev.troupe.sampling.RankCandidates;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.sampling.SpanSums;
import dev.troupe.sampling.TopLogits;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.serving.Precedence;
import dev.troupe.serving.Returns;
import dev.troupe.serving.meter.Histogram;
import dev.troupe.stage.StepEntry;
import dev.troupe.stage.Want;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.lang.reflect.AnnotatedParameterizedType;
import java.lang.reflect.AnnotatedType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/** Makes values of any type that may travel, from a seed. */
public final class RandomValues {
    private final SplittableRandom random;
    private final Supplier<ActorRef<?>> refs;
    private final Map<Class<?>, Supplier<Object>> special = new HashMap<>();

    /** {@code refs} gives the actor references. */
    public RandomValues(long seed, Supplier<ActorRef<?>> refs) {
        this.random = new SplittableRandom(seed);
        this.refs = refs;
        // Types whose constructors check what chance would hardly meet.
        special.put(StepEntry.class, this::stepEntry);
        special.put(SamplingParameters.class, this::sampling);
        special.put(RankCandidates.class, this::candidates);
        special.put(SpanSums.class, () -> new SpanSums(random.nextInt(8), floats(1 + random.nextInt(3), 2)));
        special.put(TopLogits.class, () -> {
            Ints ids = (Ints) of(Ints.class);
            return new TopLogits(ids, floats(1, ids.size()), (SpanSums) of(SpanSums.class));
        });
        special.put(Partition.Rank.class, () -> {
            int group = random.nextInt(8);
            int row = random.nextInt(8) * Partition.VOCABULARY_SPAN;
            return new Partition.Rank(group, group + 1 + random.nextInt(4), row, row + 7);
        });
        special.put(Partition.Stage.class, () -> {
            int layer = random.nextInt(8);
            return new Partition.Stage(
                    layer, layer + 1 + random.nextInt(8), List.of((Partition.Rank) of(Partition.Rank.class)));
        });
        special.put(Precedence.class, () -> new Precedence(random.nextInt(-100, 101), word()));
        special.put(DeviceProfile.class, () -> new DeviceProfile(word(), random.nextInt(99), random.nextInt(99)));
        special.put(Incarnation.class, () -> new Incarnation(word(), 1 + random.nextInt(65_535), random.nextLong()));
        special.put(Slot.class, () -> new Slot((Incarnation) of(Incarnation.class), word()));
        special.put(
                Returns.class,
                () -> new Returns(Set.of(Want.Kind.ROW), random.nextBoolean() ? Set.of(Want.Kind.HIDDEN) : Set.of()));
        special.put(
                Histogram.class,
                () -> new Histogram(
                        List.of(random.nextDouble()),
                        List.of(random.nextLong(), random.nextLong()),
                        random.nextDouble()));
        special.put(NodeInfo.class, this::nodeInfo);
        special.put(Partition.class, () -> new Partition(List.of((Partition.Stage) of(Partition.Stage.class))));
    }

    private String word() {
        return "n" + random.nextInt(1000);
    }

    private NodeInfo nodeInfo() {
        return new NodeInfo(
                (Incarnation) of(Incarnation.class),
                List.of(NodeRole.COMPUTE, NodeRole.CACHE),
                List.of((DeviceProfile) of(DeviceProfile.class)),
                word(),
                word(),
                List.of((RegisteredModel) of(RegisteredModel.class)),
                List.of((Slot) of(Slot.class)));
    }

    private StepEntry stepEntry() {
        int tokens = 1 + random.nextInt(5);
        return new StepEntry(
                random.nextLong(),
                random.nextBoolean() ? (dev.troupe.stage.SequenceStart) of(dev.troupe.stage.SequenceStart.class) : null,
                random.nextInt(1000),
                Ints.of(IntStream.range(0, tokens)
                        .map(i -> random.nextInt(2048))
                        .toArray()),
                (Ints) of(Ints.class),
                List.of(new Want(random.nextInt(tokens), (Want.Kind) of(Want.Kind.class))));
    }

    private RankCandidates candidates() {
        Ints ids = Ints.of(1, 2 + random.nextInt(1000));
        return new RankCandidates(
                ids,
                floats(1, 2),
                floats(1, 2),
                random.nextBoolean(),
                random.nextBoolean() ? (SpanSums) of(SpanSums.class) : null,
                random.nextBoolean() ? (TopLogits) of(TopLogits.class) : null,
                random.nextBoolean());
    }

    private SamplingParameters sampling() {
        return new SamplingParameters(
                (float) random.nextDouble(2),
                random.nextInt(100),
                (float) random.nextDouble(0.1, 1),
                (float) random.nextDouble(1),
                (float) random.nextDouble(1, 2),
                (float) random.nextDouble(-2, 2),
                (float) random.nextDouble(-2, 2),
                Map.of(random.nextInt(9), 1f, 10 + random.nextInt(9), -100f),
                random.nextLong(),
                random.nextInt(20),
                random.nextBoolean() ? (GuideSpec) of(GuideSpec.class) : null);
    }

    /** A value of class {@code type}. */
    public Object of(Class<?> type) {
        Supplier<Object> own = special.get(type);
        if (own != null) {
            return own.get();
        }
        if (type.isEnum()) {
            return pick(type.getEnumConstants());
        }
        if (type.isSealed()) {
            return of(pick(type.getPermittedSubclasses()));
        }
        if (type.isRecord()) {
            return record(type);
        }
        return basic(type);
    }

    private Object record(Class<?> type) {
        RecordComponent[] components = type.getRecordComponents();
        Throwable last = null;
        for (int attempt = 0; attempt < 300; attempt++) {
            Object[] parts = Arrays.stream(components)
                    .map(component -> declared(component.getAnnotatedType()))
                    .toArray();
            try {
                Class<?>[] raw =
                        Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
                return type.getDeclaredConstructor(raw).newInstance(parts);
            } catch (InvocationTargetException e) {
                last = e.getCause();
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }
        throw new IllegalStateException(
                "chance makes no valid %s (last: %s): add it to RandomValues.special".formatted(type.getName(), last));
    }

    private @Nullable Object declared(AnnotatedType type) {
        if (type.isAnnotationPresent(Nullable.class) && random.nextBoolean()) {
            return null;
        }
        Type plain = type.getType();
        Class<?> raw = plain instanceof ParameterizedType p ? (Class<?>) p.getRawType() : (Class<?>) plain;
        if (raw == ActorRef.class) {
            return refs.get();
        }
        if (type instanceof AnnotatedParameterizedType generic) {
            AnnotatedType[] of = generic.getAnnotatedActualTypeArguments();
            if (raw == List.class) {
                return Stream.generate(() -> declared(of[0]))
                        .limit(random.nextInt(4))
                        .toList();
            }
            if (raw == Set.class) {
                return Stream.generate(() -> declared(of[0]))
                        .limit(random.nextInt(3))
                        .collect(Collectors.toUnmodifiableSet());
            }
            if (raw == Map.class) {
                Map<Object, Object> map = new HashMap<>();
                for (int i = random.nextInt(4); i > 0; i--) {
                    map.put(declared(of[0]), declared(of[1]));
                }
                return map;
            }
            if (raw == Optional.class) {
                return random.nextBoolean() ? Optional.ofNullable(declared(of[0])) : Optional.empty();
            }
        }
        return of(raw);
    }

    private Object basic(Class<?> type) {
        return switch (type.getName()) {
            case "boolean", "java.lang.Boolean" -> random.nextBoolean();
            case "int", "java.lang.Integer" -> random.nextInt(8) == 0 ? random.nextInt() : random.nextInt(9);
            case "long", "java.lang.Long" -> random.nextInt(4) == 0 ? random.nextLong() : random.nextLong(9);
            case "float", "java.lang.Float" -> random.nextInt(9) == 0 ? Float.NaN : (float) random.nextDouble();
            case "double", "java.lang.Double" -> random.nextDouble();
            case "java.lang.String" -> "été-" + Long.toString(random.nextLong(), 36);
            case "java.time.Duration" -> Duration.ofNanos(random.nextLong());
            case "java.time.Instant" -> Instant.ofEpochSecond(random.nextInt(), random.nextInt(1_000_000_000));
            case "java.util.UUID" -> new UUID(random.nextLong(), random.nextLong());
            case "dev.troupe.tensor.Ints" ->
                Ints.of(random.ints(random.nextInt(5), 0, 1 << 20).toArray());
            case "dev.troupe.tensor.Floats", "dev.troupe.tensor.Rows" ->
                floats(1 + random.nextInt(3), 1 + random.nextInt(5));
            default -> throw new IllegalStateException("RandomValues does not know " + type.getName());
        };
    }

    /** Random bit patterns, so that NaNs and infinities are among them. */
    public Floats floats(int rows, int columns) {
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = Float.intBitsToFloat(random.nextInt());
        }
        return new Floats(rows, columns, values);
    }

    private <T> T pick(T[] from) {
        return from[random.nextInt(from.length)];
    }
}
