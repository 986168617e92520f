package dev.troupe.wire.tls;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * A small certificate authority for one cluster, in a directory: {@code ca.pem} and {@code ca-key.pem}, and for every
 * holder {@code HOST.pem} and {@code HOST-key.pem}. Keys are on the curve P-256. Whoever has {@code ca-key.pem} can make
 * nodes: it belongs on none of the machines that run them.
 */
public final class Authority {
    /** File of the authority's own certificate. */
    public static final String CERTIFICATE = "ca.pem";

    /** File of the authority's private key. */
    public static final String KEY = "ca-key.pem";

    private static final Duration VALIDITY = Duration.ofDays(3650);

    /** Clocks of machines differ. */
    private static final Duration SKEW = Duration.ofHours(1);

    private final Path directory;
    private final Clock clock;
    private final X509Certificate certificate;
    private final PrivateKey key;

    private Authority(Path directory, Clock clock, X509Certificate certificate, PrivateKey key) {
        this.directory = directory;
        this.clock = clock;
        this.certificate = certificate;
        this.key = key;
    }

    /** Whether {@code directory} holds an authority, or a part of one. */
    public static boolean isIn(Path directory) {
        return Files.exists(directory.resolve(CERTIFICATE)) || Files.exists(directory.resolve(KEY));
    }

    /**
     * The authority in {@code directory}.
     *
     * @throws IOException if it is not there, has expired, or its files do not belong together; the message names them
     */
    public static Authority read(Path directory, Clock clock) throws IOException {
        Path file = directory.resolve(CERTIFICATE);
        X509Certificate certificate = PemFiles.certificates(file).getFirst();
        TlsIdentity.requireValid(file, certificate, TlsIdentity.NEW_AUTHORITY);
        PrivateKey key = PemFiles.privateKey(directory.resolve(KEY));
        TlsIdentity.requirePair(file, certificate, directory.resolve(KEY), key);
        return new Authority(directory, clock, certificate, key);
    }

    /**
     * Makes an authority in {@code directory}, over one that is there.
     *
     * @throws IOException if the directory cannot be written
     */
    public static Authority create(Path directory, Clock clock) throws IOException {
        Files.createDirectories(directory);
        try {
            KeyPair pair = newKeys();
            X500Name name = named("Troupe cluster authority");
            Instant now = clock.instant();
            X509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(
                    name, serial(), Date.from(now.minus(SKEW)), Date.from(now.plus(VALIDITY)), name, pair.getPublic());
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
            builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
            X509Certificate made = signed(builder, pair.getPrivate());
            PemFiles.write(directory.resolve(KEY), pair.getPrivate());
            PemFiles.write(directory.resolve(CERTIFICATE), made);
            return new Authority(directory, clock, made, pair.getPrivate());
        } catch (GeneralSecurityException | OperatorCreationException e) {
            throw new IOException("an authority cannot be made: " + e.getMessage(), e);
        }
    }

    /** The authority's own certificate. */
    public X509Certificate certificate() {
        return certificate;
    }

    /**
     * Makes a key and a certificate for {@code holder}, over those that are there.
     *
     * @param validity from now; the authority's own end is an earlier end
     * @return the certificate
     * @throws IOException if the files cannot be written
     */
    public X509Certificate issue(Holder holder, Duration validity) throws IOException {
        TlsFiles files = holder.filesIn(directory);
        try {
            KeyPair pair = newKeys();
            Instant now = clock.instant();
            Instant wanted = now.plus(validity);
            Instant end = certificate.getNotAfter().toInstant();
            X509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(
                    certificate,
                    serial(),
                    Date.from(now.minus(SKEW)),
                    Date.from(wanted.isBefore(end) ? wanted : end),
                    named(holder.fileName()),
                    pair.getPublic());
            addExtensions(builder, holder);
            X509Certificate made = signed(builder, key);
            PemFiles.write(files.key(), pair.getPrivate());
            PemFiles.write(files.certificate(), made);
            return made;
        } catch (GeneralSecurityException | OperatorCreationException e) {
            throw new IOException(
                    "a certificate for %s cannot be made: %s".formatted(holder.host(), e.getMessage()), e);
        }
    }

    private static void addExtensions(X509v3CertificateBuilder builder, Holder holder) throws CertIOException {
        List<GeneralName> names = new ArrayList<>();
        names.add(new GeneralName(holder.isAddress() ? GeneralName.iPAddress : GeneralName.dNSName, holder.host()));
        for (CertificateRole role : holder.roles()) {
            names.add(new GeneralName(GeneralName.uniformResourceIdentifier, role.uri()));
        }
        builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
        builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
        // Everybody dials and is dialed: a node answers a client over a connection that it makes itself.
        builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(new KeyPurposeId[] {
            KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth
        }));
        builder.addExtension(
                Extension.subjectAlternativeName, false, new GeneralNames(names.toArray(GeneralName[]::new)));
    }

    private static KeyPair newKeys() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        return generator.generateKeyPair();
    }

    private static X500Name named(String commonName) {
        // RFC 5280 bounds a common name; others go by the alternative names anyway.
        String name = commonName.length() > 64 ? commonName.substring(0, 64) : commonName;
        return new X500NameBuilder(BCStyle.INSTANCE)
                .addRDN(BCStyle.O, "Troupe")
                .addRDN(BCStyle.CN, name)
                .build();
    }

    /** 159 bits, of which the highest is set: positive, and at most 20 bytes (RFC 5280 section 4.1.2.2). */
    private static BigInteger serial() {
        return new BigInteger(159, new SecureRandom()).setBit(158);
    }

    private static X509Certificate signed(X509v3CertificateBuilder builder, PrivateKey key)
            throws OperatorCreationException, GeneralSecurityException {
        return new JcaX509CertificateConverter()
                .getCertificate(builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(key)));
    }
}
