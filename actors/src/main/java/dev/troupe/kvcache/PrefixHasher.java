package dev.troupe.kvcache;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;

/**
 * Names what KV blocks hold. Keys and values of a block depend on the weights, the arithmetic and all tokens up to the block's
 * last one, so its name is a chain: SHA-256 of the name of the block before it and its own tokens, beginning with what is the
 * same for all of a replica (the scope) and a salt. Requests with different salts have no name in common: none can learn from
 * its own speed what another one has asked.
 *
 * <p>Owned by one thread.
 */
public final class PrefixHasher {
    private final int blockSize;
    private final List<String> scope;
    private final MessageDigest sha = sha256();
    private final ByteBuffer link;

    /**
     * @param scope what identifies weights and arithmetic, in order
     * @param blockSize tokens in a block
     */
    public PrefixHasher(List<String> scope, int blockSize) {
        this.scope = List.copyOf(scope);
        this.blockSize = blockSize;
        this.link = ByteBuffer.allocate(PrefixHash.BYTES + blockSize * Integer.BYTES);
    }

    /** Tokens in a block. */
    public int blockSize() {
        return blockSize;
    }

    /** The chain of a sequence whose first tokens are still to come. */
    public Chain chain(String salt) {
        List<String> parts = new ArrayList<>(scope);
        parts.add(Integer.toString(blockSize));
        parts.add(salt);
        for (String part : parts) {
            byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
            sha.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).array());
            sha.update(bytes);
        }
        return new Chain(PrefixHash.of(sha.digest()));
    }

    /** The names of one sequence's full blocks, made as they are asked for. */
    public final class Chain {
        private final List<PrefixHash> names = new ArrayList<>();

        private Chain(PrefixHash root) {
            names.add(root);
        }

        /**
         * The name of a full block.
         *
         * @param block index in the sequence, from 0
         * @param tokens of the sequence; those of earlier calls may not change
         * @throws IndexOutOfBoundsException if there are not enough of them
         */
        public PrefixHash name(int block, int[] tokens) {
            for (int next = names.size() - 1; next <= block; next++) {
                link.clear();
                names.get(next).putInto(link);
                for (int i = 0; i < blockSize; i++) {
                    link.putInt(tokens[next * blockSize + i]);
                }
                names.add(PrefixHash.of(sha.digest(link.array())));
            }
            return names.get(block + 1);
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
