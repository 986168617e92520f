package dev.troupe.wire.tls;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;

/** Reads and writes certificates and private keys as PEM (RFC 7468). */
final class PemFiles {
    private static final String KEY_BEGIN = "-----BEGIN PRIVATE KEY-----";
    private static final String KEY_END = "-----END PRIVATE KEY-----";

    /** Also in the header of encrypted keys of older forms. */
    private static final String ENCRYPTED = "ENCRYPTED";

    private static final String RSA_BEGIN = "-----BEGIN RSA PRIVATE KEY-----";
    private static final String EC_BEGIN = "-----BEGIN EC PRIVATE KEY-----";

    /** Far more than any chain or key. */
    private static final long MOST_BYTES = 1 << 20;

    private PemFiles() {}

    /**
     * The certificates in {@code file}, in its order.
     *
     * @throws IOException if the file cannot be read or holds none; it names the file
     */
    static List<X509Certificate> certificates(Path file) throws IOException {
        byte[] bytes = read(file);
        try {
            List<X509Certificate> certificates =
                    CertificateFactory.getInstance("X.509")
                            .generateCertificates(new ByteArrayInputStream(bytes))
                            .stream()
                            .map(X509Certificate.class::cast)
                            .toList();
            if (certificates.isEmpty()) {
                throw new IOException("%s holds no certificate; expected PEM".formatted(file));
            }
            return certificates;
        } catch (CertificateException e) {
            throw new IOException(
                    "%s holds no certificate that can be read; expected PEM: %s".formatted(file, e.getMessage()), e);
        }
    }

    /**
     * The private key in {@code file}, PKCS #8, not encrypted, elliptic curve or RSA.
     *
     * @throws IOException if the file cannot be read or holds none; it names the file
     */
    static PrivateKey privateKey(Path file) throws IOException {
        String text = new String(read(file), StandardCharsets.US_ASCII);
        int begin = text.indexOf(KEY_BEGIN);
        int end = text.indexOf(KEY_END);
        if (text.contains(ENCRYPTED)) {
            throw new IOException(
                    "%s is encrypted, and nobody is there to be asked for its password: write it without one with openssl pkcs8 -topk8 -nocrypt -in %s -out NEW"
                            .formatted(file, file.getFileName()));
        }
        if (text.contains(RSA_BEGIN) || text.contains(EC_BEGIN)) {
            throw new IOException(
                    "%s holds a private key of an older form; make PKCS #8 of it with openssl pkcs8 -topk8 -nocrypt -in %s -out NEW"
                            .formatted(file, file.getFileName()));
        }
        if (begin < 0 || end < begin) {
            throw new IOException("%s holds no private key; expected PEM that starts with %s (PKCS #8, not encrypted)"
                    .formatted(file, KEY_BEGIN));
        }
        try {
            byte[] der = Base64.getMimeDecoder().decode(text.substring(begin + KEY_BEGIN.length(), end));
            return key(new PKCS8EncodedKeySpec(der));
        } catch (IllegalArgumentException | GeneralSecurityException e) {
            throw new IOException("%s holds no private key that can be read: %s".formatted(file, e.getMessage()), e);
        }
    }

    private static PrivateKey key(PKCS8EncodedKeySpec spec) throws GeneralSecurityException {
        try {
            return KeyFactory.getInstance("EC").generatePrivate(spec);
        } catch (InvalidKeySpecException e) {
            return KeyFactory.getInstance("RSA").generatePrivate(spec);
        }
    }

    private static byte[] read(Path file) throws IOException {
        try {
            if (Files.isDirectory(file)) {
                throw new IOException("%s is a directory; expected a PEM file".formatted(file));
            }
            if (Files.size(file) > MOST_BYTES) {
                throw new IOException("%s has %,d bytes; expected PEM of less than %,d"
                        .formatted(file, Files.size(file), MOST_BYTES));
            }
            return Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            throw new IOException(
                    "%s does not exist (from here, %s): troupe certs --out DIR --nodes HOST... makes such files"
                            .formatted(file, Path.of("").toAbsolutePath()),
                    e);
        } catch (java.nio.file.AccessDeniedException e) {
            throw new IOException("%s must not be read by this process: check its owner".formatted(file), e);
        }
    }

    /** Writes {@code certificates}, readable by all, over what is there. */
    static void write(Path file, X509Certificate... certificates) throws IOException {
        StringBuilder text = new StringBuilder();
        try {
            for (X509Certificate certificate : certificates) {
                text.append(pem("CERTIFICATE", certificate.getEncoded()));
            }
        } catch (CertificateException e) {
            throw new IOException("%s cannot be written: %s".formatted(file, e.getMessage()), e);
        }
        write(file, text.toString(), "rw-r--r--");
    }

    /** Writes {@code key}, readable by its owner only, over what is there. */
    static void write(Path file, PrivateKey key) throws IOException {
        write(file, pem("PRIVATE KEY", key.getEncoded()), "rw-------");
    }

    private static String pem(String what, byte[] der) {
        Base64.Encoder lines = Base64.getMimeEncoder(64, new byte[] {'\n'});
        return "-----BEGIN %s-----\n%s\n-----END %s-----\n".formatted(what, lines.encodeToString(der), what);
    }

    /** Never lets others read in between, and never leaves half a file. */
    private static void write(Path file, String text, String permissions) throws IOException {
        boolean posix = file.getFileSystem().supportedFileAttributeViews().contains("posix");
        FileAttribute<?>[] attributes = posix
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions))
                }
                : new FileAttribute<?>[0];
        Path half = file.resolveSibling(file.getFileName() + ".new");
        Files.deleteIfExists(half);
        Files.createFile(half, attributes);
        Files.writeString(half, text);
        Files.move(half, file, StandardCopyOption.REPLACE_EXISTING);
    }
}
