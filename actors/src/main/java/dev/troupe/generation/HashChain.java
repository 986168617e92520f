package dev.troupe.generation;

import dev.troupe.serving.Output;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * A fingerprint of one choice's tokens so far that changes with every bit of them: SHA-256 of the one before, the position,
 * the token and the raw bits of its logit. Two runs are the same, token for token and winning logit for winning logit, when
 * their last hashes are; a run that was continued elsewhere has the hash of one that was not. A fold over the token log.
 */
public final class HashChain {
    private static final int SHOWN_BYTES = 8;

    private final MessageDigest sha = sha256();
    private byte[] last = new byte[sha.getDigestLength()];

    /** The hash up to {@code token}, 16 hexadecimal digits. */
    public String append(Output.Token token) {
        ByteBuffer link = ByteBuffer.allocate(last.length + 3 * Integer.BYTES);
        link.put(last).putInt(token.position()).putInt(token.token()).putInt(Float.floatToRawIntBits(token.logit()));
        last = sha.digest(link.array());
        return HexFormat.of().formatHex(last, 0, SHOWN_BYTES);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
