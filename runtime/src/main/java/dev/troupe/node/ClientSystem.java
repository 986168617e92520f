package dev.troupe.node;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;

/** The configuration of an actor system that only talks to a cluster: Artery on loopback, no member of anything. */
public final class ClientSystem {
    private ClientSystem() {}

    /** A client on this machine, with a free port. */
    public static Config config() {
        return ConfigFactory.parseResources("dev/troupe/node/client-system.conf")
                .withFallback(ConfigFactory.defaultReference())
                .resolve();
    }
}
