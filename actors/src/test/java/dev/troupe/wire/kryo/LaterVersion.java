package dev.troupe.wire.kryo;

import java.nio.charset.StandardCharsets;
import org.apache.pekko.serialization.SerializerWithStringManifest;

/** Stands where {@link KryoSerializer} stands, on a node of a later version: what it writes is strange to this one. */
public final class LaterVersion extends SerializerWithStringManifest {
    private static final int IDENTIFIER = 7_391;

    @Override
    public int identifier() {
        return IDENTIFIER;
    }

    @Override
    public String manifest(Object message) {
        return "2-00000000";
    }

    @Override
    public byte[] toBinary(Object message) {
        return "what nobody knows yet".getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public Object fromBinary(byte[] bytes, String manifest) {
        throw new IllegalStateException("nobody answers a later version");
    }
}
