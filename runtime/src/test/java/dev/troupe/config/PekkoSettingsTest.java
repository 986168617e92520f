package dev.troupe.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.node.ClientSystem;
import dev.troupe.serving.StepLimits;
import java.time.Duration;
import java.util.List;
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
    void letOnlyTheFirstSeedWaitLongForTheOthers() {
        String seeds = "troupe.cluster.seed-nodes = [\"127.0.0.1:25520\", \"127.0.0.2:25520\"]\n";
        String timeout = "pekko.cluster.seed-node-timeout";

        assertThat(of(seeds).getDuration(timeout)).isEqualTo(Duration.ofSeconds(20));
        assertThat(of(seeds + "troupe.node.host = 127.0.0.2").getDuration(timeout))
                .isEqualTo(Duration.ofSeconds(2));
        assertThat(of(seeds + "troupe.node.host = 127.0.0.2\n" + timeout + " = 3s")
                        .getDuration(timeout))
                .isEqualTo(Duration.ofSeconds(3));
    }

    @Test
    void compressNothingBecauseANodeIsStartedAgainUnderItsAddress() {
        for (String what : List.of("actor-refs", "manifests")) {
            String key = "pekko.remote.artery.advanced.compression.%s.max".formatted(what);
            assertThat(of("").getString(key)).isEqualTo("off");
            assertThat(ClientSystem.config().getString(key)).isEqualTo("off");
        }
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
    void letTheMajorityOfTheVotersGoOnUnlessTheirNumberIsFixedAndLarge() {
        Config three = of("troupe.cluster { nodes = 3, voters = 3 }");
        Config five = of("troupe.cluster { nodes = 5, voters = 5 }");
        Config elastic = of("troupe.cluster { nodes = 5, voters = 5, strategy = majority }");
        Config wanted = of("troupe.cluster { nodes = 3, voters = 3, strategy = quorum }");

        String strategy = "pekko.cluster.split-brain-resolver.active-strategy";
        String size = "pekko.cluster.split-brain-resolver.static-quorum.quorum-size";
        assertThat(of("").getString(strategy)).isEqualTo("keep-majority");
        assertThat(three.getString(strategy)).isEqualTo("keep-majority");
        assertThat(elastic.getString(strategy)).isEqualTo("keep-majority");
        assertThat(five.getString(strategy)).isEqualTo("static-quorum");
        assertThat(five.getInt(size)).isEqualTo(3);
        assertThat(five.getString("pekko.cluster.split-brain-resolver.static-quorum.role"))
                .isEqualTo("control");
        assertThat(wanted.getInt(size)).isEqualTo(2);
    }

    @Test
    void waitLongerWhereGossipHasMoreToTell() {
        String key = "pekko.cluster.split-brain-resolver.stable-after";
        for (Map.Entry<Integer, Integer> seconds :
                Map.of(5, 7, 6, 10, 11, 20, 101, 30).entrySet()) {
            Config lan = of("troupe.cluster { timing = lan, nodes = %d }".formatted(seconds.getKey()));
            assertThat(lan.getDuration(key)).isEqualTo(Duration.ofSeconds(seconds.getValue()));
        }

        Config chosen = of("troupe.cluster.stable-after = 12s");
        assertThat(chosen.getDuration(key)).isEqualTo(Duration.ofSeconds(12));
        assertThat(chosen.getDuration("pekko.cluster.split-brain-resolver.down-all-when-unstable"))
                .isEqualTo(Duration.ofSeconds(12));
        assertThat(of("pekko.cluster.split-brain-resolver.stable-after = 9s").getDuration(key))
                .as("what the user says about Pekko")
                .isEqualTo(Duration.ofSeconds(9));
    }

    @Test
    void refuseAQuorumOfNobodyKnowsHowMany() {
        assertThatThrownBy(() -> of("troupe.cluster.strategy = quorum"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("troupe.cluster.voters = auto, expected how many nodes have role control");
        assertThatThrownBy(() -> of("troupe.cluster { nodes = 3, voters = 5 }"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("troupe.cluster.voters = 5, expected 1 to 3");
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
    void startAnActorSystemWithAQuorum() {
        ActorSystem<Void> system = ActorSystem.create(
                Behaviors.empty(),
                NodeConfig.SYSTEM,
                of("troupe { node { port = 0, roles = [control] }, cluster { nodes = 5, voters = 5 } }"));
        try {
            SplitBrainResolverSettings resolver =
                    new SplitBrainResolverSettings(system.settings().config());

            assertThat(resolver.DowningStrategy()).isEqualTo("static-quorum");
            assertThat(resolver.staticQuorumSettings().size()).isEqualTo(3);
            assertThat(resolver.staticQuorumSettings().role()).isEqualTo(scala.Option.apply("control"));
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
