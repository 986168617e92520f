package dev.troupe.config;

/**
 * A node that others join through.
 *
 * @param host as all nodes reach it
 * @param port of Artery
 */
public record SeedNode(String host, int port) {
    public SeedNode {
        Check.notBlank("cluster.seed-nodes", host);
        Check.holds(port > 0 && port <= 65_535, "cluster.seed-nodes", host + ":" + port, "a port, 1 to 65535");
    }

    /** Reads {@code host:port} or {@code [v6]:port}. */
    static SeedNode parse(String text) {
        int colon = text.lastIndexOf(':');
        try {
            String host = text.substring(0, Math.max(0, colon));
            return new SeedNode(host, Integer.parseInt(text.substring(colon + 1)));
        } catch (NumberFormatException e) {
            throw Check.refused("cluster.seed-nodes", "\"" + text + "\"", "host:port");
        }
    }

    @Override
    public String toString() {
        return host + ":" + port;
    }
}
