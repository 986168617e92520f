package dev.troupe.node;

import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.config.ConfigurationException;
import dev.troupe.config.NodeConfig;
import dev.troupe.config.WireConfig;
import dev.troupe.wire.tls.CertificateRole;
import dev.troupe.wire.tls.PeerCertificate;
import dev.troupe.wire.tls.TlsIdentity;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** The rule that a node has the certificate of what it says to be. Its peers would not believe it otherwise. */
final class OwnCertificate {
    private OwnCertificate() {}

    /**
     * Checks it, where TLS is on.
     *
     * @throws IOException if a file is missing, expired or not right
     * @throws ConfigurationException if the certificate is for another host, or lacks a role that the node is to have
     */
    static void require(NodeConfig config) throws IOException {
        Optional<WireConfig.Tls> tls = config.wire().tls();
        if (tls.isEmpty()) {
            return;
        }
        PeerCertificate own = TlsIdentity.load(tls.get().files()).self();
        String host = config.node().host();
        if (own.objectionToHost(host) != null) {
            throw new ConfigurationException(
                    "troupe.node.host = %s, and the certificate %s is for %s: take this node's own, or make one with troupe certs --add --nodes %s"
                            .formatted(host, tls.get().certificate(), String.join(", ", own.hosts()), host));
        }
        List<String> missing = config.node().roles().stream()
                .map(NodeRole::label)
                .filter(role -> !own.roles().contains(CertificateRole.of(role)))
                .toList();
        if (!missing.isEmpty()) {
            throw new ConfigurationException(
                    "troupe.node.roles has %s, and the certificate %s is for %s only: take fewer roles, or make one with troupe certs --add --force --nodes %s:%s"
                            .formatted(
                                    String.join(", ", missing),
                                    tls.get().certificate(),
                                    CertificateRole.labels(own.roles()),
                                    host,
                                    String.join(
                                            ",",
                                            config.node().roles().stream()
                                                    .map(NodeRole::label)
                                                    .toList())));
        }
    }
}
