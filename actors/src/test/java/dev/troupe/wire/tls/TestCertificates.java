package dev.troupe.wire.tls;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Set;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** An authority in a directory of a test, and certificates of it for addresses on loopback. */
public final class TestCertificates {
    private static final Duration VALIDITY = Duration.ofDays(10);
    private static final Duration LONG_AGO = Duration.ofDays(30);

    private final Path directory;

    public TestCertificates(Path directory) throws IOException {
        this.directory = directory;
        Authority.create(directory, clock(LONG_AGO.plusDays(1)));
    }

    private static Clock clock(Duration ago) {
        return Clock.fixed(Instant.now().minus(ago), ZoneOffset.UTC);
    }

    public TlsFiles files(String host, CertificateRole... roles) throws IOException {
        return issue(host, Duration.ZERO, roles);
    }

    /** Of somebody whose certificate was valid until some weeks ago. */
    public TlsFiles expired(String host, CertificateRole... roles) throws IOException {
        return issue(host, LONG_AGO, roles);
    }

    private TlsFiles issue(String host, Duration ago, CertificateRole... roles) throws IOException {
        Holder holder = new Holder(host, Set.of(roles));
        Authority.read(directory, clock(ago)).issue(holder, VALIDITY);
        return holder.filesIn(directory);
    }

    /** An identity that is loaded without a look at the dates, as somebody with other software may. */
    public TlsIdentity careless(TlsFiles files) throws IOException {
        return TlsIdentity.unchecked(files);
    }

    /** A TLS client that trusts this authority and has no certificate. */
    public SSLContext anonymous() throws GeneralSecurityException, IOException {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry(
                "ca", Authority.read(directory, Clock.systemUTC()).certificate());
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    public TlsIdentity identity(String host, CertificateRole... roles) throws IOException {
        return TlsIdentity.load(files(host, roles));
    }
}
