package dev.troupe.wire.tls;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Optional;
import javax.net.ssl.SSLContext;

/** TLS of connections to servers of any kind: whom this process trusts, and who it is. */
public final class ClientTls {
    private static final String OTHER_AUTHORITY = "name the certificate that the server has now, or its authority's";

    private ClientTls() {}

    /**
     * What a client shows to servers that ask for it.
     *
     * @param certificate PEM; certificates between it and its authority follow it
     * @param key its private key, PEM (PKCS #8, not encrypted)
     */
    public record Own(Path certificate, Path key) {}

    /**
     * Reads PEM files.
     *
     * @param authorities whose certificates servers may have, or servers' own certificates; empty trusts those that the JDK trusts
     * @param own empty shows none
     * @throws IOException if a file cannot be read, a certificate is not valid now, or certificate and key do not belong together;
     *     the message names the file and what to do
     */
    public static SSLContext load(Optional<Path> authorities, Optional<Own> own) throws IOException {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(
                    own.isPresent()
                            ? PemStores.keys(own.get().certificate(), own.get().key())
                            : null,
                    authorities.isPresent() ? PemStores.trust(authorities.get(), OTHER_AUTHORITY) : null,
                    null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new IOException(
                    "%s and %s cannot be used for TLS: %s".formatted(authorities, own, e.getMessage()), e);
        }
    }
}
