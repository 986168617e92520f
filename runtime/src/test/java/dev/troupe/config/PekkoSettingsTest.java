package dev.troupe.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.serving.StepLimits;
import java.time.Duration;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.ClusterSettings;
import org.apache.pekko.cluster.sbr.SplitBrainResolverSettings;
import org.apache.pekko.cluster.typed.Cluster;
import org.junit.jupiter.api.Test;

class PekkoSettingsTest {
    private static final String MODEL = "troupe.models.tales = tales\n";

    @Test
    void followFromTheNodesOwnKeys() {
        Config pekko = of("""
                troupe.node { host = "127.0.0.2", port = 99, bind-port = 100, roles = [compute], exit-jvm = on }
                troupe.cluster.seed-nodes = ["127.0.0.1:25520", "127.0.0.2:99"]
                """);

        assertThat(pekko.getString("pekko.remote.artery.transport")).isEqualTo("tcp");
        assertThat(pekko.getString("pekko.remote.artery.canonical.hostname")).isEqualTo("127.0.0.2");
        assertThat(pekko.getInt("pekko.remote.artery.canonical.port")).isEqualTo(99);
        assertThat(pekko.getString("pekko.remote.artery.bind.hostname")).isEmpty();
        assertThat(pekko.getInt("pekko.remote.artery.bind.port")).isEqualTo(100);
        assertThat(pekko.getStringList("pekko.cluster.roles")).containsExactly("compute");
        assertThat(pekko.getStringList("pekko.cluster.seed-nodes"))
                .containsExactly("pekko://troupe@127.0.0.1:25520", "pekko://troupe@127.0.0.2:99");
        assertThat(pekko.getBoolean("pekko.coordinated-shutdown.exit-jvm")).isTrue();
        assertThat(pekko.getString("pekko.actor.provider")).isEqualTo("cluster");
        assertThat(pekko.getBoolean("pekko.actor.allow-java-serialization")).isFalse();
    }

    @Test
    void makeANodeWithoutSeedsItsOwnSeed() {
        assertThat(of("").getStringList("pekko.cluster.seed-nodes")).containsExactly("pekko://troupe@127.0.0.1:25520");
        assertThat(of("troupe.node.port = 0").getStringList("pekko.cluster.seed-nodes"))
                .isEmpty();
    }

    @Test
    void haveTwoTimings() {
        Config shared = of("");
        Config lan = of("troupe.cluster.timing = lan");

        assertThat(shared.getDuration("pekko.cluster.failure-detector.acceptable-heartbeat-pause"))
                .isEqualTo(Duration.ofSeconds(8));
        assertThat(shared.getDuration("pekko.cluster.split-brain-resolver.stable-after"))
                .isEqualTo(Duration.ofSeconds(10));
        assertThat(shared.getDuration("pekko.cluster.split-brain-resolver.down-all-when-unstable"))
                .isEqualTo(Duration.ofSeconds(10));
        assertThat(lan.getDuration("pekko.cluster.failure-detector.acceptable-heartbeat-pause"))
                .isEqualTo(Duration.ofSeconds(3));
        assertThat(lan.getDuration("pekko.cluster.split-brain-resolver.stable-after"))
                .isEqualTo(Duration.ofSeconds(7));
    }

    @Test
    void giveWayToWhatTheUserSaysAboutPekko() {
        assertThat(of("pekko.cluster.down-removal-margin = 5s").getDuration("pekko.cluster.down-removal-margin"))
                .isEqualTo(Duration.ofSeconds(5));
    }

    @Test
    void refuseWhatWouldContradictTroupesOwnKeys() {
        assertThatThrownBy(() -> of("pekko.remote.artery.transport = tcp"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining(": 2: pekko.remote.artery.transport follows from Troupe's own keys");
    }

    @Test
    void useTlsWhereItIsOn() {
        Config pekko = of("troupe.wire.tls { enabled = on, ca = a, certificate = b, key = c }");

        assertThat(pekko.getString("pekko.remote.artery.transport")).isEqualTo("tls-tcp");
        assertThat(pekko.getString("pekko.remote.artery.ssl.ssl-engine-provider"))
                .isEqualTo("dev.troupe.wire.artery.ArteryTls");
        assertThat(pekko.getString("troupe.wire.tls.key")).isEqualTo("c");
    }

    @Test
    void findTheFilesThatTroupeCertsHasWritten() {
        Config pekko = of("""
                troupe.node.host = "127.0.0.2"
                troupe.wire.tls { enabled = on, directory = certs, key = "/run/secrets/key.pem" }
                """);

        assertThat(pekko.getString("troupe.wire.tls.ca")).isEqualTo("certs/ca.pem");
        assertThat(pekko.getString("troupe.wire.tls.certificate")).isEqualTo("certs/127.0.0.2.pem");
        assertThat(pekko.getString("troupe.wire.tls.key")).isEqualTo("/run/secrets/key.pem");
    }

    @Test
    void startAnActorSystemThatReadsThem() {
        ActorSystem<Void> system = ActorSystem.create(
                Behaviors.empty(), NodeConfig.SYSTEM, of("troupe.node { port = 0, roles = [control] }"));
        try {
            ClusterSettings cluster = new ClusterSettings(system.settings().config(), NodeConfig.SYSTEM);
            SplitBrainResolverSettings resolver =
                    new SplitBrainResolverSettings(system.settings().config());

            assertThat(Cluster.get(system).selfMember().getRoles()).contains("control");
            assertThat(cluster.DownRemovalMargin().toMillis()).isEqualTo(1000);
            assertThat(resolver.DowningStableAfter().toMillis()).isEqualTo(10_000);
            assertThat(resolver.DownAllWhenUnstable().toMillis()).isEqualTo(10_000);
            assertThat(resolver.keepMajorityRole()).isEqualTo(scala.Option.apply("control"));
        } finally {
            system.terminate();
        }
    }

    @Test
    void letAStepPassThatDescribesAsMuchAsItMay() {
        int varintBytes = 5;
        long described = (long) varintBytes * StepLimits.DESCRIBED_TOKENS;

        long frame = of("").getBytes("pekko.remote.artery.advanced.maximum-frame-size");

        assertThat(frame).isGreaterThanOrEqualTo(2L << 20);
        assertThat(described).as("with room for the rest of the step").isLessThan(frame * 2 / 3);
    }

    private static Config of(String text) {
        return NodeConfig.of(ConfigFactory.parseString(MODEL + text), Map.of()).pekko();
    }
}
