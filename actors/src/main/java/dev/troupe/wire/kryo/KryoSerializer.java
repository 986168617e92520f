package dev.troupe.wire.kryo;

import java.io.NotSerializableException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.serialization.ByteBufferSerializer;
import org.apache.pekko.serialization.SerializationExtension;
import org.apache.pekko.serialization.SerializerWithStringManifest;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Troupe's serializer for Pekko: {@link WireCodec} behind a manifest that carries the protocol version. Bytes of another
 * version, and bytes that are no message, are refused with {@link NotSerializableException}, so that Pekko drops the
 * message and keeps the connection; they are counted, and the first of each kind is logged.
 */
public final class KryoSerializer extends SerializerWithStringManifest implements ByteBufferSerializer {
    private static final int IDENTIFIER = 7_391;
    private static final Logger LOG = LoggerFactory.getLogger(KryoSerializer.class);

    private final String manifest;
    private final WireCodec codec;
    private final AtomicLong otherVersions = new AtomicLong();
    private final AtomicLong malformed = new AtomicLong();

    /** Made by Pekko. */
    public KryoSerializer(ExtendedActorSystem system) {
        this.codec = new WireCodec(WireTypes.load(), ActorRefs.of(system));
        this.manifest = codec.types().protocol();
    }

    /**
     * The one of {@code system}.
     *
     * @throws IllegalStateException if the system's configuration does not have it
     */
    public static KryoSerializer of(ActorSystem<?> system) {
        Object found = SerializationExtension.get(system)
                .serializerByIdentity()
                .get(IDENTIFIER)
                .getOrElse(() -> null);
        if (found instanceof KryoSerializer serializer) {
            return serializer;
        }
        throw new IllegalStateException(
                "pekko.actor.serializers of system '%s' lacks %s: is actors' reference.conf on the class path?"
                        .formatted(system.name(), KryoSerializer.class.getName()));
    }

    /** Protocol version and schema, as one word. Nodes with different ones do not understand each other. */
    public String protocol() {
        return manifest;
    }

    /** Messages refused since the start: of another version, or malformed. */
    public long refused() {
        return otherVersions.get() + malformed.get();
    }

    /** The codec behind this serializer. */
    public WireCodec codec() {
        return codec;
    }

    @Override
    public int identifier() {
        return IDENTIFIER;
    }

    @Override
    public String manifest(Object message) {
        return manifest;
    }

    @Override
    public byte[] toBinary(Object message) {
        return codec.encode(message);
    }

    @Override
    public void toBinary(Object message, ByteBuffer target) {
        codec.encode(message, target);
    }

    @Override
    public Object fromBinary(byte[] bytes, String otherManifest) throws NotSerializableException {
        return fromBinary(ByteBuffer.wrap(bytes), otherManifest);
    }

    @Override
    public Object fromBinary(ByteBuffer source, String otherManifest) throws NotSerializableException {
        if (!manifest.equals(otherManifest)) {
            String reason =
                    "message of protocol '%s', this node speaks '%s': run the same version of Troupe on all nodes"
                            .formatted(otherManifest, manifest);
            throw counted(otherVersions, new NotSerializableException(reason));
        }
        try {
            return codec.decode(source);
        } catch (NotSerializableException e) {
            throw counted(malformed, e);
        }
    }

    private static NotSerializableException counted(AtomicLong counter, NotSerializableException refused) {
        if (counter.getAndIncrement() == 0) {
            LOG.warn("dropped, and later ones like it are only counted: {}", refused.getMessage());
        }
        return refused;
    }
}
