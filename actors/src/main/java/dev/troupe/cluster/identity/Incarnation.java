package dev.troupe.cluster.identity;

import java.util.Comparator;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.UniqueAddress;
import org.apache.pekko.cluster.typed.Cluster;

/**
 * One life of a node's process, printed as {@code host:port#uid}. A process that starts again at the same address is
 * another incarnation.
 *
 * @param host as other nodes reach it
 * @param port of Artery
 * @param uid drawn at random when the process starts; printed as unsigned hexadecimal
 */
public record Incarnation(String host, int port, long uid) implements Comparable<Incarnation> {
    private static final Comparator<Incarnation> ORDER = Comparator.comparing(Incarnation::host)
            .thenComparingInt(Incarnation::port)
            .thenComparing(Incarnation::uid, Long::compareUnsigned);

    public Incarnation {
        if (host.isEmpty() || host.contains("#") || host.contains("/") || host.contains("@")) {
            throw new IllegalArgumentException("host '%s': empty, or has one of # / @".formatted(host));
        }
        if (port < 1 || port > 65_535) {
            throw new IllegalArgumentException("port=%d of host %s, expected 1 to 65535".formatted(port, host));
        }
    }

    /** The incarnation of this process. */
    public static Incarnation self(ActorSystem<?> system) {
        return of(Cluster.get(system).selfMember());
    }

    /** The incarnation of a member of the cluster. */
    public static Incarnation of(Member member) {
        return of(member.uniqueAddress());
    }

    /**
     * The incarnation at a unique address.
     *
     * @throws IllegalArgumentException if the address is a local one: the node has no remoting
     */
    public static Incarnation of(UniqueAddress unique) {
        Address address = unique.address();
        if (address.getHost().isEmpty() || address.getPort().isEmpty()) {
            throw new IllegalArgumentException(
                    "%s has no host and port: pekko.actor.provider must be cluster".formatted(address));
        }
        return new Incarnation(address.getHost().get(), address.getPort().get(), unique.longUid());
    }

    /**
     * Reads what {@link #toString} prints.
     *
     * @throws IllegalArgumentException if it is anything else
     */
    public static Incarnation parse(String text) {
        int hash = text.lastIndexOf('#');
        int colon = hash < 0 ? -1 : text.lastIndexOf(':', hash);
        if (colon < 1) {
            throw malformed(text);
        }
        try {
            return new Incarnation(
                    text.substring(0, colon),
                    Integer.parseInt(text, colon + 1, hash, 10),
                    Long.parseUnsignedLong(text.substring(hash + 1), 16));
        } catch (NumberFormatException e) {
            throw malformed(text);
        }
    }

    private static IllegalArgumentException malformed(String text) {
        return new IllegalArgumentException("'%s' is no incarnation; expected host:port#uid".formatted(text));
    }

    /** Whether an actor at {@code address} lives on this incarnation or on another life of the same node. */
    public boolean isAt(Address address) {
        return address.getHost().filter(host::equals).isPresent()
                && address.getPort().filter(p -> p == port).isPresent();
    }

    /** Where Pekko finds it, seen from {@code system}. */
    public Address address(ActorSystem<?> system) {
        return new Address(Cluster.get(system).selfMember().address().protocol(), system.name(), host, port);
    }

    /** Host and port, for people. */
    public String hostPort() {
        return host + ":" + port;
    }

    @Override
    public int compareTo(Incarnation other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return hostPort() + "#" + Long.toHexString(uid);
    }
}
