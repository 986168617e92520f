package dev.troupe.wire.lane;

import java.util.Comparator;

/**
 * Where a node listens for tensors, as all nodes write it. Of two nodes the one with the smaller address dials.
 *
 * @param host name or literal address, without brackets
 */
public record LaneAddress(String host, int port) implements Comparable<LaneAddress> {
    private static final Comparator<LaneAddress> ORDER =
            Comparator.comparing(LaneAddress::host).thenComparingInt(LaneAddress::port);

    public LaneAddress {
        if (host.isBlank() || port < 1 || port > 65_535) {
            throw new IllegalArgumentException("lane address %s:%d, expected host:port".formatted(host, port));
        }
    }

    /**
     * Reads {@code host:port} or {@code [v6]:port}.
     *
     * @throws IllegalArgumentException if it is neither
     */
    public static LaneAddress parse(String text) {
        int colon = text.lastIndexOf(':');
        try {
            String host = text.substring(0, Math.max(colon, 0));
            if (host.startsWith("[") && host.endsWith("]")) {
                host = host.substring(1, host.length() - 1);
            }
            return new LaneAddress(host, Integer.parseInt(text.substring(colon + 1)));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("lane address '%s', expected host:port".formatted(text), e);
        }
    }

    @Override
    public int compareTo(LaneAddress other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
    }
}
