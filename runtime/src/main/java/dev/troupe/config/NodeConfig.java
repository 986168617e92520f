package dev.troupe.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import dev.troupe.kernel.Numerics;
import java.nio.file.Path;
import java.util.Map;

/**
 * All that a node is configured with, read once and checked.
 *
 * @param node who and where it is
 * @param cluster what it is part of
 * @param models where registered models are, by id: a directory, as written
 * @param replica what the cluster serves
 * @param numerics what their arithmetic promises
 * @param device where ranks run
 * @param kv their keys and values
 * @param scheduler how requests become steps
 * @param generation how generations outlive their front ends
 * @param wire the roads between nodes
 * @param chaos faults on purpose
 * @param http its HTTP port
 * @param pekko the whole configuration of its actor system
 */
public record NodeConfig(
        NodeAddress node,
        ClusterConfig cluster,
        Map<String, String> models,
        ReplicaConfig replica,
        Numerics numerics,
        DeviceConfig device,
        KvConfig kv,
        SchedulerConfig scheduler,
        GenerationConfig generation,
        WireConfig wire,
        ChaosConfig chaos,
        HttpConfig http,
        Config pekko) {
    /** Name of every node's actor system. */
    public static final String SYSTEM = "troupe";

    public NodeConfig {
        models = Map.copyOf(models);
        Check.holds(
                models.containsKey(replica.model()),
                "replica.model",
                replica.model(),
                "one of the registered models: "
                        + models.keySet().stream().sorted().toList());
    }

    /**
     * Reads a file.
     *
     * @throws ConfigurationException if it is missing, malformed, or says something that cannot be; the message names the
     *     place
     */
    public static NodeConfig load(Path file) {
        return load(file, Map.of());
    }

    /**
     * Reads a file, with some keys set over it.
     *
     * @param overrides by whole key, for example {@code troupe.node.port}
     * @throws ConfigurationException as {@link #load(Path)}
     */
    public static NodeConfig load(Path file, Map<String, ?> overrides) {
        try {
            Config user = ConfigFactory.parseFile(
                    file.toFile(), ConfigParseOptions.defaults().setAllowMissing(false));
            return of(ConfigFactory.parseMap(overrides, "command line").withFallback(user));
        } catch (ConfigException e) {
            throw new ConfigurationException(null, "the configuration cannot be read: " + e.getMessage(), e);
        }
    }

    /**
     * Reads a configuration that is in memory.
     *
     * @throws ConfigurationException as {@link #load(Path)}
     */
    public static NodeConfig of(Config user) {
        return of(user, System.getenv());
    }

    static NodeConfig of(Config user, Map<String, String> environment) {
        try {
            return new NodeConfigReader(user, environment).read();
        } catch (ConfigException e) {
            throw new ConfigurationException(null, "the configuration cannot be read: " + e.getMessage(), e);
        }
    }
}
