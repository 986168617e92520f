package dev.troupe.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigValueFactory;
import dev.troupe.wire.artery.ArteryTls;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a node's actor system is configured with: what follows from Troupe's own keys, then what the user says about
 * Pekko, then Troupe's choices for its cluster, then everybody's reference files.
 */
final class PekkoSettings {
    private static final String FOLDER = "dev/troupe/config/";

    private PekkoSettings() {}

    /**
     * The whole configuration.
     *
     * @param user the user's, Troupe's part included
     * @param reference all reference files merged
     * @throws ConfigurationException if the user sets a key of Pekko's that follows from one of Troupe's
     */
    static Config of(NodeAddress node, ClusterConfig cluster, WireConfig wire, Config user, Config reference) {
        Map<String, Object> derived = derived(node, cluster, wire);
        Config pekko = ConfigFactory.systemProperties().withOnlyPath("pekko").withFallback(user);
        requireNotSet(derived, pekko.withOnlyPath("pekko"));
        Config chosen = ConfigFactory.empty();
        for (Map.Entry<String, Object> entry : derived.entrySet()) {
            chosen = chosen.withValue(
                    entry.getKey(), ConfigValueFactory.fromAnyRef(entry.getValue(), "Troupe's own keys"));
        }
        return chosen.withFallback(pekko)
                .withFallback(resolver(cluster))
                .withFallback(joining(node, cluster))
                .withFallback(resource(
                        "timing-%s.conf".formatted(cluster.timing().name().toLowerCase(Locale.ROOT))))
                .withFallback(resource("pekko.conf"))
                .withFallback(reference)
                .resolve();
    }

    private static Map<String, Object> derived(NodeAddress node, ClusterConfig cluster, WireConfig wire) {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("pekko.remote.artery.transport", "tcp");
        wire.tls().ifPresent(tls -> keys.putAll(ArteryTls.settings(tls.files())));
        keys.put("pekko.remote.artery.canonical.hostname", node.host());
        keys.put("pekko.remote.artery.canonical.port", node.port());
        keys.put("pekko.remote.artery.bind.hostname", node.bindHost().equals(node.host()) ? "" : node.bindHost());
        keys.put("pekko.remote.artery.bind.port", node.bindPort() == node.port() ? "" : node.bindPort());
        keys.put("pekko.cluster.roles", NodeAddress.labels(node.roles()));
        keys.put("pekko.cluster.seed-nodes", seeds(node, cluster));
        keys.put("pekko.coordinated-shutdown.exit-jvm", node.exitJvm());
        return keys;
    }

    /** Who stays when nodes cannot reach each other, and after how long: as the user may override it. */
    private static Config resolver(ClusterConfig cluster) {
        Map<String, Object> keys = new LinkedHashMap<>();
        if (cluster.quorum().isPresent()) {
            keys.put("active-strategy", "static-quorum");
            keys.put("static-quorum.quorum-size", cluster.quorum().getAsInt());
        } else {
            keys.put("active-strategy", "keep-majority");
        }
        keys.put("stable-after", cluster.stableAfter());
        // Shorter turns a busy machine into an outage: all nodes down themselves.
        keys.put(
                "down-all-when-unstable",
                cluster.timing() == ClusterConfig.Timing.SHARED ? cluster.stableAfter() : "on");
        return ConfigFactory.parseMap(keys, "troupe.cluster").atPath("pekko.cluster.split-brain-resolver");
    }

    /**
     * Only the first seed forms a cluster, so only it has to wait for the others; for all other nodes the same key says how soon
     * they ask again, and what they ask first may be a seed that is still starting.
     */
    private static Config joining(NodeAddress node, ClusterConfig cluster) {
        List<SeedNode> seeds = cluster.seedNodes();
        boolean forms = seeds.isEmpty() || seeds.getFirst().equals(new SeedNode(node.host(), node.port()));
        return forms
                ? ConfigFactory.empty()
                : ConfigFactory.parseMap(Map.of("pekko.cluster.seed-node-timeout", "2s"), "troupe.cluster.seed-nodes");
    }

    /** A node without seeds is its own, unless it does not know its port yet: then it must join itself. */
    private static List<String> seeds(NodeAddress node, ClusterConfig cluster) {
        List<SeedNode> seeds = cluster.seedNodes();
        if (seeds.isEmpty() && node.port() != 0) {
            seeds = List.of(new SeedNode(node.host(), node.port()));
        }
        return seeds.stream()
                .map(seed -> "pekko://%s@%s".formatted(NodeConfig.SYSTEM, seed))
                .toList();
    }

    private static void requireNotSet(Map<String, Object> derived, Config pekko) {
        for (String key : derived.keySet()) {
            if (pekko.hasPathOrNull(key)) {
                throw new ConfigurationException(
                        "%s: %s follows from Troupe's own keys (troupe.node, troupe.cluster, troupe.wire.tls): set those"
                                .formatted(pekko.getValue(key).origin().description(), key));
            }
        }
    }

    private static Config resource(String name) {
        return ConfigFactory.parseResources(PekkoSettings.class.getClassLoader(), FOLDER + name);
    }
}
