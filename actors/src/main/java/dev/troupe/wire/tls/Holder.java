package dev.troupe.wire.tls;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Whom a certificate is for.
 *
 * @param host the DNS name or literal IP address under which others reach it, without brackets
 * @param roles what it may be: roles of a node, or {@link CertificateRole#CLIENT} alone
 */
public record Holder(String host, Set<CertificateRole> roles) {
    private static final Pattern ADDRESS = Pattern.compile("[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?");

    public Holder {
        if (!ADDRESS.matcher(host).matches() && !NAME.matcher(host).matches()) {
            throw new IllegalArgumentException(
                    "host '%s', expected a DNS name or an IP address, without port and scheme".formatted(host));
        }
        if (roles.isEmpty() || (roles.contains(CertificateRole.CLIENT) && roles.size() > 1)) {
            throw new IllegalArgumentException("roles %s of %s, expected roles of a node, or client alone"
                    .formatted(CertificateRole.labels(roles), host));
        }
        roles = Set.copyOf(EnumSet.copyOf(roles));
    }

    /** Whether {@link #host} is an IP address. */
    boolean isAddress() {
        return ADDRESS.matcher(host).matches();
    }

    /** What its files are called, without the ending: the host, {@code -client} behind it for a client. */
    public String fileName() {
        return fileName(host, !roles.contains(CertificateRole.CLIENT));
    }

    /** Where its files are in the {@code directory} of an authority, or would be. */
    public TlsFiles filesIn(Path directory) {
        return TlsFiles.named(directory, fileName());
    }

    static String fileName(String host, boolean node) {
        return host.replace(':', '-') + (node ? "" : "-client");
    }
}
