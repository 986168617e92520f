package dev.troupe.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.wire.tls.CertificateRole;
import dev.troupe.wire.tls.TlsFiles;
import dev.troupe.wire.tls.TlsIdentity;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class CertsCommandTest {
    @TempDir
    Path directory;

    private record Outcome(int exitCode, String out, String err) {}

    private Outcome certs(String... arguments) {
        List<String> all = new ArrayList<>(List.of("certs", "--out", home().toString()));
        all.addAll(List.of(arguments));
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine commandLine =
                Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        int exitCode = commandLine.execute(all.toArray(String[]::new));
        return new Outcome(exitCode, out.toString(), err.toString());
    }

    private Path home() {
        return directory.resolve("certs");
    }

    private TlsIdentity node(String host) throws IOException {
        return TlsIdentity.load(TlsFiles.ofNode(home(), host));
    }

    @Test
    void makesAnAuthorityAndCertificatesWithRolesAndSaysWhatComesNext() throws IOException {
        Outcome outcome = certs("--nodes", "10.0.0.1", "gpu.example:compute,cache", "--nodes", "[fd00::1]:client");

        assertThat(outcome.exitCode()).as(outcome.err()).isZero();
        assertThat(node("10.0.0.1").self().roles())
                .containsExactlyInAnyOrder(CertificateRole.CONTROL, CertificateRole.FRONTEND, CertificateRole.COMPUTE);
        assertThat(node("gpu.example").self().roles())
                .containsExactlyInAnyOrder(CertificateRole.COMPUTE, CertificateRole.CACHE);
        assertThat(TlsIdentity.load(TlsFiles.ofClient(home(), "fd00::1")).self().roles())
                .containsExactly(CertificateRole.CLIENT);
        assertThat(outcome.out())
                .contains(
                        "10.0.0.1 (control, frontend, compute) " + home().resolve("10.0.0.1.pem"),
                        "Next: ",
                        "troupe.wire.tls { enabled = on, directory = \"%s\" }".formatted(home()),
                        "Keep " + home().resolve("ca-key.pem"));
    }

    @Test
    void addsANodeWithTheAuthorityThatIsThere() throws IOException {
        certs("--nodes", "10.0.0.1");
        byte[] authority = Files.readAllBytes(home().resolve("ca.pem"));

        Outcome outcome = certs("--add", "--nodes", "10.0.0.2");

        assertThat(outcome.exitCode()).as(outcome.err()).isZero();
        assertThat(home().resolve("ca.pem")).hasBinaryContent(authority);
        assertThat(node("10.0.0.2").self().hosts()).containsExactly("10.0.0.2");
    }

    @Test
    void neverWritesOverWhatIsThereByItself() throws IOException {
        certs("--nodes", "10.0.0.1");
        byte[] authority = Files.readAllBytes(home().resolve("ca.pem"));
        byte[] certificate = Files.readAllBytes(home().resolve("10.0.0.1.pem"));

        Outcome again = certs("--nodes", "10.0.0.2");
        Outcome sameNode = certs("--add", "--nodes", "10.0.0.2", "10.0.0.1");

        assertThat(again.exitCode()).isEqualTo(1);
        assertThat(again.err().strip().lines()).hasSize(1);
        assertThat(again.err()).contains("ca.pem is there", "--add", "--force");
        assertThat(sameNode.exitCode()).isEqualTo(1);
        assertThat(sameNode.err()).contains("10.0.0.1.pem is there: --force writes over it");
        assertThat(home().resolve("10.0.0.2.pem")).doesNotExist();
        assertThat(home().resolve("ca.pem")).hasBinaryContent(authority);
        assertThat(home().resolve("10.0.0.1.pem")).hasBinaryContent(certificate);
    }

    @Test
    void writesOverWhatIsThereWhenForced() throws IOException {
        certs("--nodes", "10.0.0.1");
        byte[] authority = Files.readAllBytes(home().resolve("ca.pem"));
        byte[] certificate = Files.readAllBytes(home().resolve("10.0.0.1.pem"));

        assertThat(certs("--add", "--force", "--nodes", "10.0.0.1").exitCode()).isZero();
        assertThat(home().resolve("ca.pem")).hasBinaryContent(authority);
        assertThat(Files.readAllBytes(home().resolve("10.0.0.1.pem"))).isNotEqualTo(certificate);

        assertThat(certs("--force", "--nodes", "10.0.0.1").exitCode()).isZero();
        assertThat(Files.readAllBytes(home().resolve("ca.pem"))).isNotEqualTo(authority);
        assertThat(node("10.0.0.1").self().hosts()).containsExactly("10.0.0.1");
    }

    @Test
    void saysWhatIsWrongWithWhatWasAskedFor() {
        assertThat(certs("--add", "--nodes", "a").err()).contains("there is no authority in " + home());
        assertThat(certs("--nodes", "10.0.0.4:25520").err())
                .contains("--nodes 10.0.0.4:25520: role '25520' does not exist", "client");
        assertThat(certs("--nodes", "fd00::3").err()).contains("write an IPv6 address in brackets");
        assertThat(certs("--nodes", "[fd00::3]x").err()).contains("expected HOST[:ROLE,...]");
        assertThat(certs("--nodes", "a:compute", "a:control").err()).contains("a comes twice");
        assertThat(certs("--nodes", "a:client,compute").err()).contains("client alone");
        assertThat(certs("--nodes", "a", "--days", "0").err()).contains("--days 0 does not work; expected 1 to 3650");
        assertThat(certs().exitCode()).isEqualTo(2);
        assertThat(home()).doesNotExist();
    }
}
