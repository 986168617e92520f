package dev.troupe.wire.kryo;

import com.esotericsoftware.kryo.Kryo;
import com.esotericsoftware.kryo.KryoException;
import com.esotericsoftware.kryo.Serializer;
import com.esotericsoftware.kryo.io.Input;
import com.esotericsoftware.kryo.io.Output;
import com.esotericsoftware.kryo.serializers.ImmutableSerializer;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import dev.troupe.tensor.Rows;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import java.util.function.BiConsumer;
import java.util.function.Function;

/** Serializers of the types that are neither records nor enums nor containers. Every value takes at least one byte. */
final class BasicSerializers {
    /** By class; primitives and their boxes alike. */
    static final Map<Class<?>, Serializer<?>> ALL = Map.ofEntries(
            Map.entry(boolean.class, of(Output::writeBoolean, Input::readBoolean)),
            Map.entry(Boolean.class, of(Output::writeBoolean, Input::readBoolean)),
            Map.entry(int.class, of(BasicSerializers::writeInt, BasicSerializers::readInt)),
            Map.entry(Integer.class, of(BasicSerializers::writeInt, BasicSerializers::readInt)),
            Map.entry(long.class, of(BasicSerializers::writeLong, BasicSerializers::readLong)),
            Map.entry(Long.class, of(BasicSerializers::writeLong, BasicSerializers::readLong)),
            Map.entry(float.class, of(BasicSerializers::writeFloat, BasicSerializers::readFloat)),
            Map.entry(Float.class, of(BasicSerializers::writeFloat, BasicSerializers::readFloat)),
            Map.entry(double.class, of(BasicSerializers::writeDouble, BasicSerializers::readDouble)),
            Map.entry(Double.class, of(BasicSerializers::writeDouble, BasicSerializers::readDouble)),
            Map.entry(String.class, of(BasicSerializers::writeString, BasicSerializers::readString)),
            Map.entry(Duration.class, of(BasicSerializers::writeDuration, BasicSerializers::readDuration)),
            Map.entry(Instant.class, of(BasicSerializers::writeInstant, BasicSerializers::readInstant)),
            Map.entry(UUID.class, of(BasicSerializers::writeUuid, BasicSerializers::readUuid)),
            Map.entry(Ints.class, of(BasicSerializers::writeInts, BasicSerializers::readInts)),
            Map.entry(Floats.class, of(BasicSerializers::writeFloats, BasicSerializers::readFloats)),
            Map.entry(Rows.class, of(BasicSerializers::writeFloats, BasicSerializers::readFloats)));

    private BasicSerializers() {}

    private static <T> Serializer<T> of(BiConsumer<Output, T> writer, Function<Input, T> reader) {
        return new ImmutableSerializer<>() {
            @Override
            public void write(Kryo kryo, Output output, T value) {
                writer.accept(output, value);
            }

            @Override
            public T read(Kryo kryo, Input input, Class<? extends T> type) {
                return reader.apply(input);
            }
        };
    }

    private static void writeInt(Output output, Integer value) {
        output.writeVarInt(value, false);
    }

    private static Integer readInt(Input input) {
        return input.readVarInt(false);
    }

    private static void writeLong(Output output, Long value) {
        output.writeVarLong(value, false);
    }

    private static Long readLong(Input input) {
        return input.readVarLong(false);
    }

    private static void writeFloat(Output output, Float value) {
        output.writeInt(Float.floatToRawIntBits(value));
    }

    private static Float readFloat(Input input) {
        return Float.intBitsToFloat(input.readInt());
    }

    private static void writeDouble(Output output, Double value) {
        output.writeLong(Double.doubleToRawLongBits(value));
    }

    private static Double readDouble(Input input) {
        return Double.longBitsToDouble(input.readLong());
    }

    static void writeString(Output output, String value) {
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        output.writeVarInt(utf8.length, true);
        output.writeBytes(utf8);
    }

    static String readString(Input input) {
        int length = Lengths.readCount(input, 1, "bytes of a string");
        return new String(input.readBytes(length), StandardCharsets.UTF_8);
    }

    private static void writeDuration(Output output, Duration value) {
        output.writeVarLong(value.getSeconds(), false);
        output.writeVarInt(value.getNano(), true);
    }

    private static Duration readDuration(Input input) {
        long seconds = input.readVarLong(false);
        return Duration.ofSeconds(seconds, input.readVarInt(true));
    }

    private static void writeInstant(Output output, Instant value) {
        output.writeVarLong(value.getEpochSecond(), false);
        output.writeVarInt(value.getNano(), true);
    }

    private static Instant readInstant(Input input) {
        long seconds = input.readVarLong(false);
        return Instant.ofEpochSecond(seconds, input.readVarInt(true));
    }

    private static void writeUuid(Output output, UUID value) {
        output.writeLong(value.getMostSignificantBits());
        output.writeLong(value.getLeastSignificantBits());
    }

    private static UUID readUuid(Input input) {
        long most = input.readLong();
        return new UUID(most, input.readLong());
    }

    private static void writeInts(Output output, Ints value) {
        output.writeVarInt(value.size(), true);
        for (int i = 0; i < value.size(); i++) {
            output.writeVarInt(value.get(i), true);
        }
    }

    private static Ints readInts(Input input) {
        int[] values = new int[Lengths.readCount(input, 1, "ints")];
        for (int i = 0; i < values.length; i++) {
            values[i] = input.readVarInt(true);
        }
        return Ints.of(values);
    }

    private static void writeFloats(Output output, Rows rows) {
        Floats value = rows.floats();
        output.writeVarInt(value.rows(), true);
        output.writeVarInt(value.columns(), true);
        int bytes = Math.multiplyExact(Float.BYTES, Math.multiplyExact(value.rows(), value.columns()));
        value.copyRowsTo(0, value.rows(), ((WireOutput) output).reserve(bytes));
    }

    private static Floats readFloats(Input input) {
        int rows = input.readVarInt(true);
        int columns = input.readVarInt(true);
        if (rows < 0 || columns < 0) {
            throw new KryoException("floats of shape [%d, %d]".formatted(rows, columns));
        }
        Lengths.requireLeft(input, (long) rows * columns, Float.BYTES, "floats");
        int bytes = Float.BYTES * rows * columns;
        MemorySegment source = MemorySegment.ofArray(input.getBuffer()).asSlice(input.position(), bytes);
        input.setPosition(input.position() + bytes);
        return Floats.copyOf(rows, columns, source);
    }
}
