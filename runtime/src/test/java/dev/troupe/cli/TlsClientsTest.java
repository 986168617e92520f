package dev.troupe.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.troupe.config.NodeConfig;
import dev.troupe.http.HttpServer;
import dev.troupe.node.LocalTroupe;
import dev.troupe.weights.LoadProgress;
import dev.troupe.wire.tls.Authority;
import dev.troupe.wire.tls.CertificateRole;
import dev.troupe.wire.tls.Holder;
import dev.troupe.wire.tls.TlsFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Clock;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** {@code troupe load} and {@code troupe chat} of servers that speak TLS. */
class TlsClientsTest {
    private static final String HERE = "127.0.0.1";
    private static final String PASSWORD = "changeit";

    @TempDir
    private Path directory;

    private record Outcome(int exitCode, String out, String err) {}

    private static Outcome run(List<String> command, String... more) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine commandLine =
                Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        int exitCode = commandLine.execute(
                Stream.concat(command.stream(), Stream.of(more)).toArray(String[]::new));
        return new Outcome(exitCode, out.toString(), err.toString());
    }

    private static List<List<String>> commands(HttpServer server) {
        String url = "https://" + server.address();
        return List.of(
                List.of("load", "--url", url, "--requests", "2", "--max-tokens", "3"),
                List.of("chat", "--url", url, "--once", "Hi", "--max-tokens", "3"));
    }

    private static HttpServer serve(Map<String, String> tls) throws IOException {
        Map<String, Object> settings = new HashMap<>(tls);
        String tales =
                Path.of("src", "main", "models", "tales").toAbsolutePath().toString();
        settings.put("troupe.models", Map.of("tales", tales));
        settings.put("troupe.replica.model", "tales");
        settings.put("troupe.http.enabled", true);
        settings.put("troupe.http.port", 0);
        return LocalTroupe.serve(NodeConfig.of(ConfigFactory.parseMap(settings)), LoadProgress.NONE);
    }

    /** A certificate that nobody but its owner has signed, and its key, as PEM. */
    private TlsFiles selfSigned() throws Exception {
        Path store = directory.resolve("self.p12");
        Process keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias",
                        "self",
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=here",
                        "-ext",
                        "san=ip:" + HERE,
                        "-keystore",
                        store.toString(),
                        "-storepass",
                        PASSWORD)
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("keytool.log").toFile())
                .start();
        assertThat(keytool.waitFor(2, TimeUnit.MINUTES)).isTrue();
        KeyStore keys = KeyStore.getInstance(store.toFile(), PASSWORD.toCharArray());
        return new TlsFiles(
                directory.resolve("none"),
                pem("CERTIFICATE", keys.getCertificate("self").getEncoded()),
                pem("PRIVATE KEY", keys.getKey("self", PASSWORD.toCharArray()).getEncoded()));
    }

    private Path pem(String what, byte[] der) throws IOException {
        String text = Base64.getMimeEncoder().encodeToString(der);
        return Files.writeString(
                directory.resolve(what + ".pem"),
                "-----BEGIN %s-----%n%s%n-----END %s-----%n".formatted(what, text, what));
    }

    @Test
    void aServerThatSignedItsOwnCertificateIsTrustedWhereThatIsNamed() throws Exception {
        TlsFiles files = selfSigned();
        Map<String, String> tls = Map.of(
                "troupe.http.tls.certificate", files.certificate().toString(),
                "troupe.http.tls.key", files.key().toString());
        try (HttpServer server = serve(tls)) {
            for (List<String> command : commands(server)) {
                Outcome trusted = run(command, "--ca", files.certificate().toString());
                Outcome stranger = run(command);

                assertThat(trusted.exitCode()).as(trusted.out() + trusted.err()).isZero();
                assertThat(stranger.exitCode()).isEqualTo(1);
                assertThat(stranger.err())
                        .startsWith("troupe: no TLS connection to https://" + server.address())
                        .contains("--ca names whom to trust")
                        .hasLineCount(1);
            }
        }
    }

    @Test
    void aServerThatAsksForACertificateGetsOne() throws Exception {
        Authority authority = Authority.create(directory, Clock.systemUTC());
        TlsFiles files = issue(authority, CertificateRole.FRONTEND);
        Map<String, String> tls = Map.of(
                "troupe.http.tls.certificate", files.certificate().toString(),
                "troupe.http.tls.key", files.key().toString(),
                "troupe.http.tls.client-ca", files.ca().toString());
        try (HttpServer server = serve(tls)) {
            TlsFiles own = issue(authority, CertificateRole.CLIENT);
            for (List<String> command : commands(server)) {
                Outcome known = run(
                        command,
                        "--ca",
                        files.ca().toString(),
                        "--client-cert",
                        own.certificate().toString(),
                        "--client-key",
                        own.key().toString());
                Outcome nobody = run(command, "--ca", files.ca().toString());

                assertThat(known.exitCode()).as(known.out() + known.err()).isZero();
                assertThat(nobody.exitCode()).isEqualTo(1);
                assertThat(nobody.err())
                        .contains("https://" + server.address(), "--client-cert")
                        .hasLineCount(1);
            }
        }
    }

    private TlsFiles issue(Authority authority, CertificateRole role) throws IOException {
        Holder holder = new Holder(HERE, Set.of(role));
        authority.issue(holder, Duration.ofDays(1));
        return holder.filesIn(directory);
    }

    @Test
    void wrongOptionsAreOneSentence() {
        Path missing = directory.resolve("missing.pem");
        List<String> load = List.of("load", "--url", "https://127.0.0.1:1");

        assertThat(run(load, "--client-cert", "own.pem").err())
                .isEqualToNormalizingNewlines("troupe: --client-cert and --client-key go together\n");
        assertThat(run(load, "--ca", missing.toString()).err()).startsWith("troupe: " + missing + " does not exist");
        assertThat(run(List.of("chat", "--url", "http://127.0.0.1:1"), "--ca", missing.toString())
                        .err())
                .startsWith("troupe: --url http://127.0.0.1:1, expected https:// beside --ca");
    }
}
