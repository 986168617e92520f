package dev.troupe.config;

import java.net.InetAddress;

/**
 * The rule that nothing but loopback is bound without TLS: whoever can reach an open Artery port can bring the node down,
 * and whoever can reach the lane can feed it numbers.
 */
public final class BindGuard {
    private BindGuard() {}

    /**
     * Checks it.
     *
     * @throws ConfigurationException if the node would bind to another address without TLS; it says how to set TLS up
     */
    public static void require(NodeAddress node, WireConfig wire) {
        if (wire.tls().isPresent() || isLoopback(node.bindHost())) {
            return;
        }
        throw new ConfigurationException(
                ("troupe.node.bind-host = %s is not a loopback address and troupe.wire.tls is off: anybody who can reach it"
                                + " could bring this node down. Run troupe certs --out certs --nodes %s (and all other nodes'"
                                + " addresses) once, copy ca.pem and each node's certificate and key to it, and set"
                                + " troupe.wire.tls { enabled = on, directory = \"certs\" }; or bind to 127.0.0.1")
                        .formatted(node.bindHost(), node.host()));
    }

    /** Whether {@code host} is a literal loopback address or {@code localhost}; names are not looked up. */
    public static boolean isLoopback(String host) {
        if (host.equals("localhost")) {
            return true;
        }
        String literal = host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
        try {
            return InetAddress.ofLiteral(literal).isLoopbackAddress();
        } catch (IllegalArgumentException e) {
            return false;
        }
    }
}
