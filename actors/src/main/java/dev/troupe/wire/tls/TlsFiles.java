package dev.troupe.wire.tls;

import java.nio.file.Path;

/**
 * Where an identity lies, all PEM.
 *
 * @param ca certificates of the authority that all nodes trust, and no other
 * @param certificate of this node or client; certificates between it and the authority follow it
 * @param key its private key, PKCS #8
 */
public record TlsFiles(Path ca, Path certificate, Path key) {
    /** The names that {@link Authority} gives the files of the node at {@code host}. */
    public static TlsFiles ofNode(Path directory, String host) {
        return named(directory, Holder.fileName(host, true));
    }

    /** The names that {@link Authority} gives the files of the client at {@code host}. */
    public static TlsFiles ofClient(Path directory, String host) {
        return named(directory, Holder.fileName(host, false));
    }

    static TlsFiles named(Path directory, String name) {
        return new TlsFiles(
                directory.resolve(Authority.CERTIFICATE),
                directory.resolve(name + ".pem"),
                directory.resolve(name + "-key.pem"));
    }
}
