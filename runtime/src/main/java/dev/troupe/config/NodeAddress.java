package dev.troupe.config;

import dev.troupe.cluster.identity.NodeRole;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;

/**
 * Who and where this process is ({@code troupe.node}).
 *
 * @param host how other nodes reach it
 * @param port of Artery as others reach it; 0 is the port that was bound
 * @param bindHost what it binds to
 * @param bindPort what it binds to; 0 takes a free one
 * @param name for people
 * @param roles in the order of {@link NodeRole}
 * @param exitJvm whether the JVM ends with the node
 */
public record NodeAddress(
        String host, int port, String bindHost, int bindPort, String name, List<NodeRole> roles, boolean exitJvm) {
    public NodeAddress {
        Check.notBlank("node.host", host);
        Check.port("node.port", port);
        Check.notBlank("node.bind-host", bindHost);
        Check.port("node.bind-port", bindPort);
        Check.holds(!roles.isEmpty(), "node.roles", roles, "at least one of " + labels(EnumSet.allOf(NodeRole.class)));
        roles = List.copyOf(EnumSet.copyOf(roles));
        if (name.isBlank()) {
            name = host + ":" + port;
        }
    }

    static List<String> labels(Collection<NodeRole> roles) {
        return roles.stream().map(NodeRole::label).toList();
    }
}
