package dev.troupe.wire.kryo;

import com.esotericsoftware.kryo.Kryo;
import com.esotericsoftware.kryo.KryoException;
import com.esotericsoftware.kryo.Serializer;
import com.esotericsoftware.kryo.io.Input;
import com.esotericsoftware.kryo.io.Output;
import com.esotericsoftware.kryo.serializers.ImmutableSerializer;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Modifier;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Writes the components of one record type in their order and reads them back through its canonical constructor, so that
 * the checks which stand there also hold for what came from the wire.
 */
final class RecordSerializer extends ImmutableSerializer<Record> {
    private final Class<?> type;
    private final List<Component> components;
    private final MethodHandle constructor;

    private record Component(String name, MethodHandle accessor, Serializer<Object> serializer) {}

    /**
     * @throws IllegalArgumentException if {@code type} or a component cannot travel; it says why
     */
    RecordSerializer(Class<?> type, ComponentSerializers serializers) {
        this.type = type;
        requirePublic(type);
        List<Component> found = new ArrayList<>();
        try {
            MethodHandles.Lookup lookup = MethodHandles.publicLookup();
            for (RecordComponent component : type.getRecordComponents()) {
                found.add(new Component(
                        component.getName(),
                        lookup.unreflect(component.getAccessor())
                                .asType(MethodType.methodType(Object.class, Object.class)),
                        serializers.of(component.getAnnotatedType(), type.getName() + "." + component.getName())));
            }
            Class<?>[] raw = Arrays.stream(type.getRecordComponents())
                    .map(RecordComponent::getType)
                    .toArray(Class<?>[]::new);
            constructor = lookup.unreflectConstructor(type.getDeclaredConstructor(raw))
                    .asSpreader(Object[].class, raw.length)
                    .asType(MethodType.methodType(Object.class, Object[].class));
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException("%s cannot travel: %s".formatted(type.getName(), e), e);
        }
        components = List.copyOf(found);
    }

    private static void requirePublic(Class<?> type) {
        for (Class<?> c = type; c != null; c = c.getEnclosingClass()) {
            if (!Modifier.isPublic(c.getModifiers())) {
                throw new IllegalArgumentException(
                        "%s cannot travel: %s is not public".formatted(type.getName(), c.getName()));
            }
        }
    }

    @Override
    public void write(Kryo kryo, Output output, Record value) {
        if (components.isEmpty()) {
            output.writeByte(0);
        }
        for (Component component : components) {
            Object part = invoke(component.accessor(), value);
            if (part == null && !(component.serializer() instanceof ComponentSerializers.OrNull)) {
                throw new IllegalArgumentException(
                        "%s.%s is null and not @Nullable".formatted(type.getName(), component.name()));
            }
            component.serializer().write(kryo, output, part);
        }
    }

    @Override
    public Record read(Kryo kryo, Input input, Class<? extends Record> ignored) {
        if (components.isEmpty() && input.readByte() != 0) {
            throw new KryoException(type.getName() + " has no components, but the bytes have");
        }
        Object[] parts = new Object[components.size()];
        for (int i = 0; i < parts.length; i++) {
            parts[i] = components.get(i).serializer().read(kryo, input, Object.class);
        }
        return (Record) invoke(constructor, parts);
    }

    private static Object invoke(MethodHandle handle, Object argument) {
        try {
            return handle.invoke(argument);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new KryoException(e);
        }
    }
}
