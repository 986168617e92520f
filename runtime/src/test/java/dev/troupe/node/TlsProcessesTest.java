package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.client.Completion;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.config.ConfigurationException;
import dev.troupe.config.NodeConfig;
import dev.troupe.weights.LoadProgress;
import dev.troupe.wire.tls.Authority;
import dev.troupe.wire.tls.CertificateRole;
import dev.troupe.wire.tls.Holder;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Node processes under mutual TLS, on both roads. */
class TlsProcessesTest {
    private static final int MINUTES = 4;

    @TempDir
    Path directory;

    @BeforeAll
    static void runsFromTheRepository() {
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
    }

    private static Path certificates(Path directory, Map<String, Set<CertificateRole>> holders) throws IOException {
        Authority authority = Authority.create(directory, Clock.systemUTC());
        for (Map.Entry<String, Set<CertificateRole>> holder : holders.entrySet()) {
            authority.issue(new Holder(holder.getKey(), holder.getValue()), Duration.ofDays(1));
        }
        authority.issue(new Holder(ClientSystem.HERE, Set.of(CertificateRole.CLIENT)), Duration.ofDays(1));
        return directory;
    }

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(MINUTES, TimeUnit.MINUTES);
    }

    @Test
    void giveTheUnsplitBitsAndAnswerNobodyElse() throws Exception {
        Set<CertificateRole> all = Set.of(CertificateRole.CONTROL, CertificateRole.FRONTEND, CertificateRole.COMPUTE);
        Path ours = certificates(directory.resolve("ours"), Map.of("127.0.0.1", all, "127.0.0.2", all));
        Path foreign = certificates(directory.resolve("foreign"), Map.of());
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("troupe.models", Map.of("tales", "tales"));
        settings.put("troupe.replica.pipeline-parallel", 2);
        settings.put("troupe.replica.tensor-parallel", 2);
        settings.put("troupe.device.threads", 1);
        TextRequest request = TextRequest.greedy("Once upon a time", 24).withLogits(true);
        Completion whole;
        try (Troupe troupe = LocalTroupe.start(ModelLocation.of("tales"), 1, 1)) {
            whole = get(troupe.complete(request).toCompletableFuture());
        }

        try (LocalCluster cluster = LocalCluster.start(2, settings, ours);
                Troupe troupe = cluster.connect()) {
            Troupe.Description description = cluster.awaitReady(troupe);
            assertThat(String.join("\n", description.placement())).contains("127.0.0.1", "127.0.0.2");

            Completion split = get(troupe.complete(request).toCompletableFuture());

            assertThat(split.choices()).isEqualTo(whole.choices());
            assertIsNotAnswered(cluster, ClientSystem.config());
            assertIsNotAnswered(cluster, ClientSystem.config(ClientSystem.HERE, foreign));
            assertThat(get(troupe.describe(Duration.ofSeconds(20)).toCompletableFuture())
                            .ready())
                    .isTrue();
            cluster.processes().forEach(NodeProcess::kill); // nobody needs them to leave
        }
    }

    private static void assertIsNotAnswered(LocalCluster cluster, Config client) {
        try (Troupe stranger = Troupe.connect(cluster.address(), client)) {
            assertThatThrownBy(
                            () -> get(stranger.describe(Duration.ofSeconds(2)).toCompletableFuture()))
                    .hasRootCauseInstanceOf(java.util.concurrent.TimeoutException.class);
        }
    }

    @Test
    void aNodeHasTheCertificateOfWhatItSaysToBe() throws IOException {
        Path ours = certificates(directory.resolve("ours"), Map.of("127.0.0.1", Set.of(CertificateRole.COMPUTE)));

        assertThatThrownBy(() -> start("127.0.0.1", "", ours))
                .isInstanceOf(ConfigurationException.class)
                .hasMessage(
                        "troupe.node.roles has control, frontend, and the certificate %s is for compute only: take fewer"
                                        .formatted(ours.resolve("127.0.0.1.pem"))
                                + " roles, or make one with troupe certs --add --force --nodes"
                                + " 127.0.0.1:control,frontend,compute");
        String others = "\ntroupe.wire.tls { certificate = \"%1$s/127.0.0.1.pem\", key = \"%1$s/127.0.0.1-key.pem\" }"
                .formatted(ours);
        assertThatThrownBy(() -> start("127.0.0.2", others, ours))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("troupe.node.host = 127.0.0.2, and the certificate")
                .hasMessageEndingWith("make one with troupe certs --add --nodes 127.0.0.2");
        assertThatThrownBy(() -> start("127.0.0.3", "", ours))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(ours.resolve("127.0.0.3.pem") + " does not exist");
    }

    private static TroupeNode start(String host, String more, Path certificates) throws IOException {
        return TroupeNode.start(
                NodeConfig.of(ConfigFactory.parseString("""
                        troupe.models.tales = tales
                        troupe.node { host = "%s", port = 0 }
                        troupe.wire { lane-port = 0, tls { enabled = on, directory = "%s" } }
                        """.formatted(host, certificates) + more)), LoadProgress.NONE);
    }

    @Test
    void aClientOffLoopbackNeedsACertificate() {
        assertThatThrownBy(() -> ClientSystem.config("10.0.0.9"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessage(
                        "a client at 10.0.0.9 can be reached from other machines: it needs TLS; make a certificate with troupe"
                                + " certs --add --nodes 10.0.0.9:client, and say where it is with --tls-dir");
        assertThatThrownBy(() -> ClientSystem.config("10.0.0.9", directory))
                .hasMessageContaining("ca.pem does not exist");
    }
}
