package dev.troupe.wire.tls;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;

/**
 * TLS 1.2 and 1.3 of a port that clients of any kind dial: the server shows a certificate, and where an authority of clients is named,
 * they must show one too. Made once at the start; new files need a restart.
 */
public final class ServerTls {
    private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};
    private static final String OTHER_AUTHORITY = "name the authority that signs the certificates of clients now";

    private final SSLContext context;
    private final boolean clientsShowOne;

    private ServerTls(SSLContext context, boolean clientsShowOne) {
        this.context = context;
        this.clientsShowOne = clientsShowOne;
    }

    /**
     * Reads PEM files.
     *
     * @param certificate the server's; certificates between it and its authority follow it
     * @param key its private key, PKCS #8, not encrypted
     * @param clientCa certificates of the authorities that sign those of clients; empty asks clients for none
     * @throws IOException if a file cannot be read, a certificate is not valid now, or certificate and key do not belong together;
     *     the message names the file and what to do
     */
    public static ServerTls load(Path certificate, Path key, Optional<Path> clientCa) throws IOException {
        try {
            TrustManager[] trust =
                    clientCa.isPresent() ? PemStores.trust(clientCa.get(), OTHER_AUTHORITY) : new TrustManager[0];
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(PemStores.keys(certificate, key), trust, null);
            return new ServerTls(context, clientCa.isPresent());
        } catch (GeneralSecurityException e) {
            throw new IOException(
                    "%s and %s cannot be used for TLS: %s".formatted(certificate, key, e.getMessage()), e);
        }
    }

    /** For a connection that somebody makes to this process. */
    public SSLEngine server() {
        SSLEngine engine = context.createSSLEngine();
        engine.setUseClientMode(false);
        engine.setNeedClientAuth(clientsShowOne);
        engine.setEnabledProtocols(PROTOCOLS);
        return engine;
    }
}
