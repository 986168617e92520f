package dev.troupe.wire.kryo;

import com.esotericsoftware.kryo.Kryo;
import com.esotericsoftware.kryo.KryoException;
import com.esotericsoftware.kryo.Registration;
import com.esotericsoftware.kryo.Serializer;
import com.esotericsoftware.kryo.io.Input;
import com.esotericsoftware.kryo.io.Output;
import com.esotericsoftware.kryo.serializers.ImmutableSerializer;
import com.esotericsoftware.kryo.util.DefaultClassResolver;
import java.io.NotSerializableException;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Messages to bytes and back, over Kryo with a closed list of types. Thread-safe: every thread has a Kryo of its own.
 *
 * <p>Whatever the bytes, reading gives a message or a {@link NotSerializableException}, and allocates no more than a small
 * multiple of their number.
 */
public final class WireCodec {
    /** No message is larger, in bytes. */
    public static final int MAX_BYTES = 64 * 1024 * 1024;

    private static final int MAX_DEPTH = 32;

    private final WireTypes types;
    private final Map<WireTypes.Entry, Serializer<?>> serializers = new LinkedHashMap<>();
    private final Set<Class<?>> messages;
    private final ThreadLocal<Session> sessions = ThreadLocal.withInitial(() -> new Session(newKryo()));

    /**
     * @throws IllegalArgumentException if a type of the list cannot travel; it says why
     */
    public WireCodec(WireTypes types, ActorRefs refs) {
        this.types = types;
        Set<Class<?>> registered =
                types.entries().stream().map(WireTypes.Entry::type).collect(Collectors.toSet());
        ComponentSerializers components = new ComponentSerializers(registered, refs);
        this.messages = new HashSet<>();
        for (WireTypes.Entry entry : types.entries()) {
            serializers.put(entry, serializerOf(entry.type(), components));
            if (entry.use() == WireTypes.Use.MESSAGE) {
                messages.add(entry.type());
            }
        }
    }

    private static Serializer<?> serializerOf(Class<?> type, ComponentSerializers components) {
        Serializer<?> basic = BasicSerializers.ALL.get(type);
        if (basic != null) {
            return basic;
        }
        if (type.isEnum()) {
            return new EnumSerializer(type);
        }
        if (type.isRecord()) {
            return new RecordSerializer(type, components);
        }
        throw new IllegalArgumentException(
                "%s cannot be registered: only records and enums can".formatted(type.getName()));
    }

    private Kryo newKryo() {
        Kryo kryo = new Kryo(new ClosedResolver(), null);
        kryo.setRegistrationRequired(true);
        kryo.setReferences(false);
        kryo.setMaxDepth(MAX_DEPTH);
        serializers.forEach((entry, serializer) -> kryo.register(entry.type(), serializer, entry.id()));
        return kryo;
    }

    /** The list that this codec knows. */
    public WireTypes types() {
        return types;
    }

    /**
     * The bytes of {@code message}.
     *
     * @throws IllegalArgumentException if its type is no registered message, or it is too large
     */
    public byte[] encode(Object message) {
        WireOutput output = write(message);
        byte[] bytes = output.toBytes();
        output.clear();
        return bytes;
    }

    /**
     * Puts the bytes of {@code message} into {@code target}.
     *
     * @throws java.nio.BufferOverflowException if they do not fit; nothing is written then
     * @throws IllegalArgumentException if its type is no registered message, or it is too large
     */
    public void encode(Object message, ByteBuffer target) {
        WireOutput output = write(message);
        try {
            target.put(output.getBuffer(), 0, output.position());
        } finally {
            output.clear();
        }
    }

    private WireOutput write(Object message) {
        if (!messages.contains(message.getClass())) {
            throw new IllegalArgumentException(
                    "%s is no message between nodes: give it a line 'id message %s' in wire-types.txt"
                            .formatted(
                                    message.getClass().getName(),
                                    message.getClass().getName()));
        }
        Session session = sessions.get();
        try {
            session.kryo.writeClassAndObject(session.output, message);
        } catch (KryoException e) {
            session.output.clear();
            throw new IllegalArgumentException(
                    "%s cannot be written in at most %d bytes: %s"
                            .formatted(message.getClass().getName(), MAX_BYTES, e.getMessage()),
                    e);
        } catch (RuntimeException e) {
            session.output.clear();
            throw e;
        }
        return session.output;
    }

    /**
     * The message whose bytes are all that remains in {@code source}; they are consumed.
     *
     * @throws NotSerializableException if they are no message
     */
    public Object decode(ByteBuffer source) throws NotSerializableException {
        Session session = sessions.get();
        int length = source.remaining();
        if (source.hasArray()) {
            session.input.setBuffer(source.array(), source.arrayOffset() + source.position(), length);
            source.position(source.limit());
        } else {
            byte[] bytes = new byte[length];
            source.get(bytes);
            session.input.setBuffer(bytes, 0, length);
        }
        return read(session, length);
    }

    private Object read(Session session, int length) throws NotSerializableException {
        String type = "unknown type";
        try {
            Registration found = session.kryo.readClass(session.input);
            if (found == null || !messages.contains(found.getType())) {
                throw new KryoException("not a message");
            }
            Class<?> actual = found.getType();
            type = actual.getName();
            Object message = session.kryo.readObject(session.input, actual, found.getSerializer());
            int left = session.input.limit() - session.input.position();
            if (left != 0) {
                throw new KryoException("%d bytes too many".formatted(left));
            }
            return message;
        } catch (RuntimeException e) {
            // Kryo's own complaints, and those of the records' constructors.
            NotSerializableException refused = new NotSerializableException(
                    "%d bytes of %s are malformed: %s".formatted(length, type, e.getMessage()));
            refused.initCause(e);
            throw refused;
        } finally {
            session.kryo.reset();
            session.input.setBuffer(Session.NOTHING);
        }
    }

    /** What one thread works with. */
    private static final class Session {
        static final byte[] NOTHING = {};
        final Kryo kryo;
        final WireOutput output = new WireOutput(MAX_BYTES);
        final Input input = new Input(NOTHING);

        Session(Kryo kryo) {
            this.kryo = kryo;
        }
    }

    /** Knows ids only: a class name in the bytes is never looked up. */
    private static final class ClosedResolver extends DefaultClassResolver {
        @Override
        protected Registration readName(Input input) {
            throw new KryoException("a class name where an id belongs");
        }
    }

    private static final class EnumSerializer extends ImmutableSerializer<Object> {
        private final Object[] constants;

        EnumSerializer(Class<?> type) {
            constants = type.getEnumConstants();
        }

        @Override
        @SuppressWarnings("EnumOrdinal") // The constants and their order are part of the schema.
        public void write(Kryo kryo, Output output, Object value) {
            output.writeVarInt(((Enum<?>) value).ordinal(), true);
        }

        @Override
        public Object read(Kryo kryo, Input input, Class<?> type) {
            int ordinal = input.readVarInt(true);
            if (ordinal < 0 || ordinal >= constants.length) {
                throw new KryoException("constant %d of %d".formatted(ordinal, constants.length));
            }
            return constants[ordinal];
        }
    }
}
