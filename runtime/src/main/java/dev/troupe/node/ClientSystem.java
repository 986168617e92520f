package dev.troupe.node;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.config.BindGuard;
import dev.troupe.config.ConfigurationException;
import dev.troupe.wire.artery.ArteryTls;
import dev.troupe.wire.tls.TlsFiles;
import dev.troupe.wire.tls.TlsIdentity;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/** The configuration of an actor system that only talks to a cluster: Artery with a free port, no member of anything. */
public final class ClientSystem {
    /** Where a client is that nodes on other machines need not reach. */
    public static final String HERE = "127.0.0.1";

    private ClientSystem() {}

    /** A client on this machine, of nodes without TLS. */
    public static Config config() {
        return config(HERE, Map.of());
    }

    /**
     * A client of nodes with TLS.
     *
     * @param host of this machine, where nodes reach the client: they answer over connections that they make
     * @param directory holds {@code ca.pem}, {@code HOST-client.pem} and {@code HOST-client-key.pem}, as
     *     {@code troupe certs} writes them
     * @throws IOException if a file is missing, expired or not right
     */
    public static Config config(String host, Path directory) throws IOException {
        TlsFiles files = TlsFiles.ofClient(directory, host);
        TlsIdentity.load(files);
        return config(host, ArteryTls.settings(files));
    }

    /**
     * A client of nodes without TLS, which must be on this machine.
     *
     * @throws ConfigurationException if {@code host} is not on loopback
     */
    public static Config config(String host) {
        if (!BindGuard.isLoopback(host)) {
            throw new ConfigurationException(
                    "a client at %s can be reached from other machines: it needs TLS; make a certificate with troupe certs --add --nodes %s:client, and say where it is with --tls-dir"
                            .formatted(host, host));
        }
        return config(host, Map.of());
    }

    private static Config config(String host, Map<String, Object> tls) {
        return ConfigFactory.parseMap(tls, "where the client's certificate is")
                .withFallback(ConfigFactory.parseMap(Map.of("pekko.remote.artery.canonical.hostname", host)))
                .withFallback(ConfigFactory.parseResources("dev/troupe/node/client-system.conf"))
                .withFallback(ConfigFactory.defaultReference())
                .resolve();
    }
}
