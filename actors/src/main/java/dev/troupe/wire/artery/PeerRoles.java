package dev.troupe.wire.artery;

import dev.troupe.wire.tls.CertificateRole;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.pekko.actor.AbstractExtensionId;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.Extension;
import org.jspecify.annotations.Nullable;

/** What those that this actor system has dialed have proven to be, by their certificates. Thread-safe. */
final class PeerRoles implements Extension {
    private static final Id ID = new Id();

    private final ExtendedActorSystem system;
    private final ConcurrentHashMap<Peer, Set<CertificateRole>> proven = new ConcurrentHashMap<>();

    private record Peer(String host, int port) {}

    /** Published on the system's event stream: somebody has proven something new. */
    record Changed() {}

    private static final class Id extends AbstractExtensionId<PeerRoles> {
        @Override
        public PeerRoles createExtension(ExtendedActorSystem system) {
            return new PeerRoles(system);
        }
    }

    private PeerRoles(ExtendedActorSystem system) {
        this.system = system;
    }

    static PeerRoles of(ActorSystem system) {
        return ID.get(system);
    }

    /** Whoever listens at {@code host}:{@code port} has these roles. */
    void proven(String host, int port, Set<CertificateRole> roles) {
        if (!roles.equals(proven.put(new Peer(host, port), roles))) {
            system.eventStream().publish(new Changed());
        }
    }

    /** What whoever listens at {@code address} has proven; null where it has not been dialed yet. */
    @Nullable
    Set<CertificateRole> at(Address address) {
        return proven.get(
                new Peer(address.getHost().orElse(""), address.getPort().orElse(0)));
    }
}
