package dev.troupe.wire.tls;

import java.net.InetAddress;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * What somebody has proven to be.
 *
 * @param subject its distinguished name, for people
 * @param roles what it may be; empty where the certificate names no role of Troupe
 * @param hosts the DNS names and literal IP addresses it may go by
 */
public record PeerCertificate(String subject, Set<CertificateRole> roles, List<String> hosts) {
    // Kinds of subject alternative names, RFC 5280 section 4.2.1.6
    private static final int DNS = 2;
    private static final int URI = 6;
    private static final int IP = 7;

    public PeerCertificate {
        roles = Set.copyOf(roles);
        hosts = List.copyOf(hosts);
    }

    /**
     * The other side of {@code session}.
     *
     * @throws CertificateException if it has shown no certificate, or one that is not valid now
     */
    public static PeerCertificate of(SSLSession session) throws CertificateException {
        try {
            if (session.getPeerCertificates()[0] instanceof X509Certificate certificate) {
                certificate.checkValidity(); // a resumed session may be older than the certificate's end
                return of(certificate);
            }
            throw new CertificateException("the certificate of the other side is no X.509 certificate");
        } catch (SSLPeerUnverifiedException e) {
            throw new CertificateException("the other side has shown no certificate", e);
        }
    }

    static PeerCertificate of(X509Certificate certificate) throws CertificateParsingException {
        Set<CertificateRole> roles = names(certificate, URI)
                .map(CertificateRole::ofUri)
                .flatMap(Optional::stream)
                .collect(Collectors.toSet());
        List<String> hosts =
                Stream.concat(names(certificate, DNS), names(certificate, IP)).toList();
        return new PeerCertificate(certificate.getSubjectX500Principal().getName(), roles, hosts);
    }

    private static Stream<String> names(X509Certificate certificate, int kind) throws CertificateParsingException {
        Collection<List<?>> all = certificate.getSubjectAlternativeNames();
        return (all == null ? Collections.<List<?>>emptyList() : all)
                .stream().filter(name -> name.get(0).equals(kind)).map(name -> String.valueOf(name.get(1)));
    }

    /** Why this may not go by {@code host}; null when it may. */
    public @Nullable String objectionToHost(String host) {
        return hosts.stream().anyMatch(name -> isSame(name, host))
                ? null
                : "the certificate of %s is for %s, not for %s".formatted(subject, String.join(", ", hosts), host);
    }

    /** Why this has not one role of {@code wanted}; null when it has. */
    public @Nullable String objectionToRoles(Set<CertificateRole> wanted) {
        return roles.stream().anyMatch(wanted::contains)
                ? null
                : "the certificate of %s has the role %s, expected %s"
                        .formatted(subject, CertificateRole.labels(roles), anyOf(wanted));
    }

    private static String anyOf(Set<CertificateRole> wanted) {
        return wanted.stream().sorted().map(CertificateRole::label).collect(Collectors.joining(" or "));
    }

    private static boolean isSame(String name, String host) {
        if (name.equalsIgnoreCase(host)) {
            return true;
        }
        try {
            // ::1 and 0:0:0:0:0:0:0:1
            return InetAddress.ofLiteral(name).equals(InetAddress.ofLiteral(host));
        } catch (IllegalArgumentException e) {
            return false;
        }
    }
}
