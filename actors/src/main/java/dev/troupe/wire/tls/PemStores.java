package dev.troupe.wire.tls;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

/** Certificates and keys of PEM files as the JDK's TLS wants them, checked. */
final class PemStores {
    private static final String NEW_CERTIFICATE = "put a new one there and start again";
    private static final char[] NO_PASSWORD = {};

    private PemStores() {}

    /**
     * Who this process is.
     *
     * @param certificate its own; certificates between it and its authority follow it
     * @param key its private key, PKCS #8, not encrypted
     * @throws IOException if a file cannot be read, the certificate is not valid now, or both do not belong together
     */
    static KeyManager[] keys(Path certificate, Path key) throws GeneralSecurityException, IOException {
        List<X509Certificate> chain = PemFiles.certificates(certificate);
        TlsIdentity.requireValid(certificate, chain.getFirst(), NEW_CERTIFICATE);
        TlsIdentity.requirePair(certificate, chain.getFirst(), key, PemFiles.privateKey(key));
        KeyStore own = emptyStore();
        own.setKeyEntry("own", PemFiles.privateKey(key), NO_PASSWORD, chain.toArray(X509Certificate[]::new));
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(own, NO_PASSWORD);
        return keys.getKeyManagers();
    }

    /**
     * Whom it trusts.
     *
     * @param authorities certificates of authorities
     * @param advice what to do about one that is not valid now
     * @throws IOException if the file cannot be read, or a certificate is not valid now
     */
    static TrustManager[] trust(Path authorities, String advice) throws GeneralSecurityException, IOException {
        KeyStore trusted = emptyStore();
        for (X509Certificate authority : PemFiles.certificates(authorities)) {
            TlsIdentity.requireValid(authorities, authority, advice);
            trusted.setCertificateEntry("ca" + trusted.size(), authority);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(trusted);
        return factory.getTrustManagers();
    }

    private static KeyStore emptyStore() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, NO_PASSWORD);
        return store;
    }
}
