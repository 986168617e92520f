package dev.troupe.http;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The keys of clients, by tenant. Keeps only their digests, and compares with all of them in constant time. */
final class ApiKeys {
    /** Who asks where there are no keys. */
    static final String ANYBODY = "anybody";

    private static final String BEARER = "bearer ";

    private final Map<String, byte[]> digests = new LinkedHashMap<>();

    /** @param keys by tenant; empty lets anybody in */
    ApiKeys(Map<String, String> keys) {
        keys.forEach((tenant, key) -> digests.put(tenant, digest(key)));
    }

    /** Whether anybody is let in. */
    boolean areOpen() {
        return digests.isEmpty();
    }

    /**
     * The tenant of a request.
     *
     * @param authorization the value of the header, or empty
     */
    Optional<String> tenant(String authorization) {
        if (areOpen()) {
            return Optional.of(ANYBODY);
        }
        if (!authorization.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
            return Optional.empty();
        }
        byte[] given = digest(authorization.substring(BEARER.length()).strip());
        Optional<String> found = Optional.empty();
        for (Map.Entry<String, byte[]> known : digests.entrySet()) {
            if (MessageDigest.isEqual(known.getValue(), given)) {
                found = Optional.of(known.getKey());
            }
        }
        return found;
    }

    private static byte[] digest(String key) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
