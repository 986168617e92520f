package dev.troupe.wire.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TlsIdentityTest {
    @TempDir
    Path directory;

    private Path home;
    private TestCertificates certificates;

    @BeforeEach
    void makeAnAuthority() throws IOException {
        home = directory.resolve("certs");
        certificates = new TestCertificates(home);
    }

    @Test
    void saysItsHostAndRoles() throws IOException {
        TlsIdentity name = certificates.identity("gpu-1.example", CertificateRole.COMPUTE, CertificateRole.CACHE);
        TlsIdentity v6 = certificates.identity("::1", CertificateRole.CLIENT);

        assertThat(name.self().hosts()).containsExactly("gpu-1.example");
        assertThat(name.self().roles()).containsExactlyInAnyOrder(CertificateRole.COMPUTE, CertificateRole.CACHE);
        assertThat(name.self().objectionToHost("GPU-1.example")).isNull();
        assertThat(name.self().objectionToHost("gpu-2.example"))
                .isEqualTo("the certificate of CN=gpu-1.example,O=Troupe is for gpu-1.example, not for gpu-2.example");
        assertThat(v6.self().objectionToHost("0:0:0:0:0:0:0:1")).isNull();
        assertThat(v6.self().objectionToRoles(CertificateRole.ON_THE_LANE))
                .isEqualTo(
                        "the certificate of CN=--1-client,O=Troupe has the role client, expected control or compute or cache");
    }

    @Test
    void keepsKeysForTheirOwner() throws IOException {
        Assumptions.assumeTrue(
                directory.getFileSystem().supportedFileAttributeViews().contains("posix"), "needs POSIX permissions");
        TlsFiles files = certificates.files("127.0.0.1", CertificateRole.COMPUTE);

        for (Path key : new Path[] {files.key(), home.resolve(Authority.KEY)}) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(key)))
                    .isEqualTo("rw-------");
        }
        try (var all = Files.list(home)) {
            assertThat(all.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder("ca.pem", "ca-key.pem", "127.0.0.1.pem", "127.0.0.1-key.pem");
        }
    }

    @Test
    void hasAKeyOnP256AndEndsNoLaterThanItsAuthority() throws IOException {
        Authority authority = Authority.read(home, Clock.systemUTC());
        X509Certificate made =
                authority.issue(new Holder("a.example", Set.of(CertificateRole.CONTROL)), Duration.ofDays(9999));

        assertThat(((ECPublicKey) made.getPublicKey()).getParams().getOrder().bitLength())
                .isEqualTo(256);
        assertThat(made.getNotAfter()).isEqualTo(authority.certificate().getNotAfter());
        assertThat(made.getBasicConstraints()).isEqualTo(-1);
    }

    @Test
    void namesAFileThatIsMissing() {
        TlsFiles files = TlsFiles.ofNode(home, "10.0.0.1");

        assertThatThrownBy(() -> TlsIdentity.load(files))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(files.certificate() + " does not exist")
                .hasMessageContaining("troupe certs --out DIR --nodes HOST... makes such files");
    }

    @Test
    void namesFilesThatHoldSomethingElse() throws IOException {
        TlsFiles files = certificates.files("127.0.0.1", CertificateRole.COMPUTE);

        assertThatThrownBy(() -> TlsIdentity.load(new TlsFiles(files.key(), files.certificate(), files.key())))
                .hasMessageStartingWith(files.key() + " holds no certificate");
        assertThatThrownBy(() -> TlsIdentity.load(new TlsFiles(files.ca(), files.certificate(), files.ca())))
                .hasMessageStartingWith(files.ca() + " holds no private key; expected PEM that starts with");
    }

    @Test
    void refusesTheKeyOfAnother() throws IOException {
        TlsFiles one = certificates.files("127.0.0.1", CertificateRole.COMPUTE);
        TlsFiles two = certificates.files("127.0.0.2", CertificateRole.COMPUTE);

        assertThatThrownBy(() -> TlsIdentity.load(new TlsFiles(one.ca(), one.certificate(), two.key())))
                .hasMessage("%s is not the private key of %s: take both from where they were made together"
                        .formatted(two.key(), one.certificate()));
    }

    @Test
    void refusesAnExpiredCertificateWithItsDates() throws IOException {
        TlsFiles files = certificates.expired("127.0.0.1", CertificateRole.COMPUTE);

        assertThatThrownBy(() -> TlsIdentity.load(files))
                .hasMessageStartingWith(files.certificate() + " has expired: it was valid from ")
                .hasMessageContaining(Instant.now().toString().substring(0, 4))
                .hasMessageEndingWith("make a new one with troupe certs --add --force, where the authority is");
    }

    @Test
    void refusesACertificateOfAnotherAuthority() throws IOException {
        TlsFiles own = certificates.files("127.0.0.1", CertificateRole.COMPUTE);
        TlsFiles foreign =
                new TestCertificates(directory.resolve("foreign")).files("127.0.0.1", CertificateRole.COMPUTE);

        assertThatThrownBy(() -> TlsIdentity.load(new TlsFiles(own.ca(), foreign.certificate(), foreign.key())))
                .hasMessageStartingWith("%s was not signed by %s".formatted(foreign.certificate(), own.ca()))
                .hasMessageEndingWith("take both from the same authority");
    }

    @Test
    void knowsRolesByTheirLabels() {
        for (CertificateRole role : CertificateRole.values()) {
            assertThat(CertificateRole.of(role.label())).isEqualTo(role);
            assertThat(CertificateRole.ofUri(role.uri())).contains(role);
        }
        assertThatThrownBy(() -> CertificateRole.of("gpu"))
                .hasMessage("role 'gpu' does not exist; these do: control, frontend, compute, cache, client");
    }

    @Test
    void refusesAHolderThatMakesNoSense() {
        assertThatThrownBy(() -> new Holder("10.0.0.1:25520 ", Set.of(CertificateRole.COMPUTE)))
                .hasMessageContaining("expected a DNS name or an IP address");
        assertThatThrownBy(() -> new Holder("../ca", Set.of(CertificateRole.COMPUTE)))
                .hasMessageContaining("host '../ca'");
        assertThatThrownBy(() -> new Holder("a", Set.of(CertificateRole.COMPUTE, CertificateRole.CLIENT)))
                .hasMessage("roles compute, client of a, expected roles of a node, or client alone");
    }
}
