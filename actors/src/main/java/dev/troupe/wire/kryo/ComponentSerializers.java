package dev.troupe.wire.kryo;

import com.esotericsoftware.kryo.Kryo;
import com.esotericsoftware.kryo.KryoException;
import com.esotericsoftware.kryo.Registration;
import com.esotericsoftware.kryo.Serializer;
import com.esotericsoftware.kryo.io.Input;
import com.esotericsoftware.kryo.io.Output;
import com.esotericsoftware.kryo.serializers.ImmutableSerializer;
import java.lang.reflect.AnnotatedParameterizedType;
import java.lang.reflect.AnnotatedType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * Chooses how a record's component is written, from its declared type alone: what the declaration does not allow cannot
 * be read. Every value takes at least one byte, so a count can be checked against the bytes left.
 */
final class ComponentSerializers {
    private final Set<Class<?>> registered;
    private final Serializer<?> actorRefs;

    /**
     * @param registered every type with an id
     */
    ComponentSerializers(Set<Class<?>> registered, ActorRefs actorRefs) {
        this.registered = Set.copyOf(registered);
        this.actorRefs = new ActorRefSerializer(actorRefs);
    }

    /**
     * The serializer for values declared as {@code type}.
     *
     * @param where for the error: class and component
     * @throws IllegalArgumentException if such values cannot travel
     */
    Serializer<Object> of(AnnotatedType type, String where) {
        Serializer<Object> serializer = ofNonNull(type, where);
        return type.isAnnotationPresent(Nullable.class) ? new OrNull(serializer) : serializer;
    }

    @SuppressWarnings("unchecked") // The declared type is checked here; values of it are all that come.
    private Serializer<Object> ofNonNull(AnnotatedType type, String where) {
        Class<?> raw = rawClass(type.getType(), where);
        Serializer<?> basic = BasicSerializers.ALL.get(raw);
        if (basic != null) {
            return (Serializer<Object>) basic;
        }
        if (raw == ActorRef.class) {
            return (Serializer<Object>) actorRefs;
        }
        if (raw == List.class) {
            return new ListSerializer(argument(type, 0, where));
        }
        if (raw == Set.class) {
            return new SetSerializer(argument(type, 0, where));
        }
        if (raw == Map.class) {
            return new MapSerializer(argument(type, 0, where), argument(type, 1, where));
        }
        if (raw == Optional.class) {
            return new OptionalSerializer(argument(type, 0, where));
        }
        if (raw.isSealed() && raw.isInterface()) {
            return new OneOf(raw);
        }
        if (registered.contains(raw)) {
            return new Exactly(raw);
        }
        throw new IllegalArgumentException(
                "%s of type %s cannot travel: register the type, or use one of: records, enums, sealed interfaces, ActorRef, List, Set, Map, Optional, String, Duration, Instant, UUID, Ints, Floats, boolean, int, long, float, double"
                        .formatted(where, raw.getName()));
    }

    private static Class<?> rawClass(Type type, String where) {
        return switch (type) {
            case Class<?> c -> c;
            case ParameterizedType p -> (Class<?>) p.getRawType();
            default ->
                throw new IllegalArgumentException(
                        "%s of type %s cannot travel: its class is not known".formatted(where, type));
        };
    }

    private Serializer<Object> argument(AnnotatedType type, int index, String where) {
        if (type instanceof AnnotatedParameterizedType parameterized) {
            return ofNonNull(parameterized.getAnnotatedActualTypeArguments()[index], where);
        }
        throw new IllegalArgumentException("%s is a raw %s: name its elements' type".formatted(where, type.getType()));
    }

    /** A value or null. */
    static final class OrNull extends ImmutableSerializer<Object> {
        private final Serializer<Object> some;

        OrNull(Serializer<Object> some) {
            this.some = some;
        }

        @Override
        public void write(Kryo kryo, Output output, @Nullable Object value) {
            output.writeBoolean(value != null);
            if (value != null) {
                some.write(kryo, output, value);
            }
        }

        @Override
        public @Nullable Object read(Kryo kryo, Input input, Class<?> type) {
            return input.readBoolean() ? some.read(kryo, input, type) : null;
        }
    }

    /** A value of one registered class. */
    private static final class Exactly extends ImmutableSerializer<Object> {
        private final Class<?> type;

        Exactly(Class<?> type) {
            this.type = type;
        }

        @Override
        public void write(Kryo kryo, Output output, Object value) {
            kryo.writeObject(output, value, kryo.getSerializer(type));
        }

        @Override
        public Object read(Kryo kryo, Input input, Class<?> ignored) {
            return kryo.readObject(input, type, kryo.getSerializer(type));
        }
    }

    /** A value of a sealed interface: the class's id and then the value. */
    private static final class OneOf extends ImmutableSerializer<Object> {
        private final Class<?> declared;

        OneOf(Class<?> declared) {
            this.declared = declared;
        }

        @Override
        public void write(Kryo kryo, Output output, Object value) {
            kryo.writeClassAndObject(output, value);
        }

        @Override
        public Object read(Kryo kryo, Input input, Class<?> ignored) {
            Registration found = kryo.readClass(input);
            if (found == null || !declared.isAssignableFrom(found.getType())) {
                throw new KryoException("%s where a %s belongs"
                        .formatted(found == null ? "null" : found.getType().getName(), declared.getName()));
            }
            Class<?> actual = found.getType();
            return kryo.readObject(input, actual, found.getSerializer());
        }
    }

    /** A set as a list; twice the same element is malformed. */
    private static final class SetSerializer extends ImmutableSerializer<Object> {
        private final ListSerializer elements;

        SetSerializer(Serializer<Object> element) {
            this.elements = new ListSerializer(element);
        }

        @Override
        public void write(Kryo kryo, Output output, Object value) {
            elements.write(kryo, output, List.copyOf((Set<?>) value));
        }

        @Override
        public Object read(Kryo kryo, Input input, Class<?> type) {
            List<?> list = (List<?>) elements.read(kryo, input, type);
            Set<?> set = Set.copyOf(list);
            if (set.size() != list.size()) {
                throw new KryoException(
                        "a set of %d elements has only %d different ones".formatted(list.size(), set.size()));
            }
            return set;
        }
    }

    private static final class ListSerializer extends ImmutableSerializer<Object> {
        private final Serializer<Object> element;

        ListSerializer(Serializer<Object> element) {
            this.element = element;
        }

        @Override
        public void write(Kryo kryo, Output output, Object value) {
            List<?> list = (List<?>) value;
            output.writeVarInt(list.size(), true);
            for (Object one : list) {
                element.write(kryo, output, one);
            }
        }

        @Override
        public Object read(Kryo kryo, Input input, Class<?> type) {
            int size = Lengths.readCount(input, 1, "elements of a list");
            List<Object> list = new ArrayList<>(size);
            for (int i = 0; i < size; i++) {
                list.add(element.read(kryo, input, type));
            }
            return List.copyOf(list);
        }
    }

    private static final class MapSerializer extends ImmutableSerializer<Object> {
        private final Serializer<Object> key;
        private final Serializer<Object> value;

        MapSerializer(Serializer<Object> key, Serializer<Object> value) {
            this.key = key;
            this.value = value;
        }

        @Override
        public void write(Kryo kryo, Output output, Object object) {
            Map<?, ?> map = (Map<?, ?>) object;
            output.writeVarInt(map.size(), true);
            map.forEach((k, v) -> {
                key.write(kryo, output, k);
                value.write(kryo, output, v);
            });
        }

        @Override
        public Object read(Kryo kryo, Input input, Class<?> type) {
            int size = Lengths.readCount(input, 2, "entries of a map");
            Map<Object, Object> map = new LinkedHashMap<>();
            for (int i = 0; i < size; i++) {
                Object k = key.read(kryo, input, type);
                if (map.putIfAbsent(k, value.read(kryo, input, type)) != null) {
                    throw new KryoException("key '%s' stands twice in a map".formatted(k));
                }
            }
            return Map.copyOf(map);
        }
    }

    private static final class OptionalSerializer extends ImmutableSerializer<Object> {
        private final OrNull content;

        OptionalSerializer(Serializer<Object> content) {
            this.content = new OrNull(content);
        }

        @Override
        public void write(Kryo kryo, Output output, Object value) {
            content.write(kryo, output, ((Optional<?>) value).orElse(null));
        }

        @Override
        public Object read(Kryo kryo, Input input, Class<?> type) {
            return Optional.ofNullable(content.read(kryo, input, type));
        }
    }

    private static final class ActorRefSerializer extends ImmutableSerializer<Object> {
        private final ActorRefs refs;

        ActorRefSerializer(ActorRefs refs) {
            this.refs = refs;
        }

        @Override
        public void write(Kryo kryo, Output output, Object value) {
            BasicSerializers.writeString(output, refs.format((ActorRef<?>) value));
        }

        @Override
        public Object read(Kryo kryo, Input input, Class<?> type) {
            return refs.resolve(BasicSerializers.readString(input));
        }
    }
}
