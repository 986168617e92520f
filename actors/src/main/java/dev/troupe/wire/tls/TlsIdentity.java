package dev.troupe.wire.tls;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;

/**
 * Who this process is and whom it trusts: mutual TLS 1.3 under one authority, host names checked. Made once at the start;
 * new files need a restart.
 */
public final class TlsIdentity {
    private static final String PROTOCOL = "TLSv1.3";

    /** Every TLS 1.3 implementation has it (RFC 8446 section 9.1), and processors have instructions for it. */
    private static final String CIPHER = "TLS_AES_128_GCM_SHA256";

    static final String NEW_AUTHORITY =
            "troupe certs --force makes a new authority, and all nodes and clients need new certificates then";
    private static final String NEW_CERTIFICATE =
            "make a new one with troupe certs --add --force, where the authority is";
    private static final char[] NO_PASSWORD = {};

    private final SSLContext context;
    private final PeerCertificate self;

    private TlsIdentity(SSLContext context, PeerCertificate self) {
        this.context = context;
        this.self = self;
    }

    /**
     * Reads {@code files}.
     *
     * @throws IOException if a file cannot be read, a certificate is not valid now, or they do not belong together; the
     *     message names the file and what to do
     */
    public static TlsIdentity load(TlsFiles files) throws IOException {
        for (X509Certificate authority : PemFiles.certificates(files.ca())) {
            requireValid(files.ca(), authority, NEW_AUTHORITY);
        }
        List<X509Certificate> chain = PemFiles.certificates(files.certificate());
        requireValid(files.certificate(), chain.getFirst(), NEW_CERTIFICATE);
        requirePair(files.certificate(), chain.getFirst(), files.key(), PemFiles.privateKey(files.key()));
        try {
            requireSigned(files, chain, trusted(files));
            return unchecked(files);
        } catch (GeneralSecurityException e) {
            throw unusable(files, e);
        }
    }

    /** Reads {@code files} without a look at dates and signatures, which the other side will not forgive. */
    static TlsIdentity unchecked(TlsFiles files) throws IOException {
        List<X509Certificate> chain = PemFiles.certificates(files.certificate());
        try {
            KeyStore own = emptyStore();
            own.setKeyEntry(
                    "own", PemFiles.privateKey(files.key()), NO_PASSWORD, chain.toArray(X509Certificate[]::new));
            KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
            keys.init(own, NO_PASSWORD);
            TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
            trust.init(trusted(files));
            SSLContext context = SSLContext.getInstance(PROTOCOL);
            context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
            return new TlsIdentity(context, PeerCertificate.of(chain.getFirst()));
        } catch (GeneralSecurityException e) {
            throw unusable(files, e);
        }
    }

    private static KeyStore trusted(TlsFiles files) throws GeneralSecurityException, IOException {
        KeyStore trusted = emptyStore();
        for (X509Certificate authority : PemFiles.certificates(files.ca())) {
            trusted.setCertificateEntry("ca" + trusted.size(), authority);
        }
        return trusted;
    }

    private static IOException unusable(TlsFiles files, GeneralSecurityException e) {
        return new IOException(
                "%s, %s and %s do not make an identity: %s"
                        .formatted(files.ca(), files.certificate(), files.key(), e.getMessage()),
                e);
    }

    /** Checks that {@code certificate} has begun and has not ended. */
    static void requireValid(Path file, X509Certificate certificate, String remedy) throws IOException {
        Instant from = certificate.getNotBefore().toInstant();
        Instant to = certificate.getNotAfter().toInstant();
        Instant now = Instant.now();
        if (now.isAfter(to)) {
            throw new IOException("%s has expired: it was valid from %s to %s; %s".formatted(file, from, to, remedy));
        }
        if (now.isBefore(from)) {
            throw new IOException(
                    "%s is not valid yet: it will be from %s to %s, and the clock of this machine says %s; set the clock"
                            .formatted(file, from, to, now));
        }
    }

    /** Checks that {@code key} is the one of {@code certificate}, by signing with it. */
    static void requirePair(Path file, X509Certificate certificate, Path keyFile, PrivateKey key) throws IOException {
        byte[] probe = {1, 2, 3};
        try {
            String algorithm = key.getAlgorithm().equals("EC") ? "SHA256withECDSA" : "SHA256withRSA";
            Signature signing = Signature.getInstance(algorithm);
            signing.initSign(key);
            signing.update(probe);
            Signature verifying = Signature.getInstance(algorithm);
            verifying.initVerify(certificate.getPublicKey());
            verifying.update(probe);
            if (verifying.verify(signing.sign())) {
                return;
            }
        } catch (GeneralSecurityException e) {
            // Another kind of key: the same answer.
        }
        throw new IOException("%s is not the private key of %s: take both from where they were made together"
                .formatted(keyFile, file));
    }

    private static void requireSigned(TlsFiles files, List<X509Certificate> chain, KeyStore trusted)
            throws GeneralSecurityException, IOException {
        PKIXParameters parameters = new PKIXParameters(trusted);
        parameters.setRevocationEnabled(false);
        try {
            CertPathValidator.getInstance("PKIX")
                    .validate(CertificateFactory.getInstance("X.509").generateCertPath(chain), parameters);
        } catch (CertPathValidatorException e) {
            throw new IOException(
                    "%s was not signed by %s (%s): take both from the same authority"
                            .formatted(files.certificate(), files.ca(), e.getMessage()),
                    e);
        }
    }

    private static KeyStore emptyStore() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, NO_PASSWORD);
        return store;
    }

    /** This process as others see it. */
    public PeerCertificate self() {
        return self;
    }

    /**
     * For a connection that this process makes to {@code host}, whose certificate must be for that name.
     *
     * @param host name or literal address, with or without brackets
     */
    public SSLEngine client(String host, int port) {
        SSLEngine engine = engine(host, port);
        engine.setUseClientMode(true);
        SSLParameters parameters = engine.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        engine.setSSLParameters(parameters);
        return engine;
    }

    /** For a connection that somebody makes to this process, who must show a certificate. */
    public SSLEngine server() {
        SSLEngine engine = context.createSSLEngine();
        engine.setUseClientMode(false);
        engine.setNeedClientAuth(true);
        return restricted(engine);
    }

    private SSLEngine engine(String host, int port) {
        String bare = host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
        return restricted(context.createSSLEngine(bare, port));
    }

    private static SSLEngine restricted(SSLEngine engine) {
        engine.setEnabledProtocols(new String[] {PROTOCOL});
        engine.setEnabledCipherSuites(new String[] {CIPHER});
        return engine;
    }
}
