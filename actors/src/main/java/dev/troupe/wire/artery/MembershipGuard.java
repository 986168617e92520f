package dev.troupe.wire.artery;

import dev.troupe.wire.tls.CertificateRole;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.eventstream.EventStream;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.ClusterEvent;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Down;
import org.apache.pekko.cluster.typed.Subscribe;

/**
 * Removes members whose certificate does not have the roles that they claim. TLS alone cannot: clients and members come
 * to the same port, and only whom a node dials itself, because it is a member, shows a certificate for an address.
 */
public final class MembershipGuard {
    private static final Set<MemberStatus> IN =
            Set.of(MemberStatus.joining(), MemberStatus.weaklyUp(), MemberStatus.up());

    /** Pekko names data centres among the roles. */
    private static final String DATA_CENTER = "dc-";

    private final ActorContext<Command> context;
    private final Cluster cluster;
    private final PeerRoles roles;

    /** What it is told. */
    public sealed interface Command {}

    private enum Look implements Command {
        INSTANCE
    }

    private MembershipGuard(ActorContext<Command> context) {
        this.context = context;
        this.cluster = Cluster.get(context.getSystem());
        this.roles = PeerRoles.of(Adapter.toClassic(context.getSystem()));
    }

    /** One on every node whose Artery is under {@link ArteryTls}. */
    public static Behavior<Command> create() {
        return Behaviors.setup(context -> {
            MembershipGuard guard = new MembershipGuard(context);
            guard.cluster
                    .subscriptions()
                    .tell(Subscribe.create(
                            context.messageAdapter(ClusterEvent.MemberEvent.class, event -> Look.INSTANCE),
                            ClusterEvent.MemberEvent.class));
            context.getSystem()
                    .eventStream()
                    .tell(new EventStream.Subscribe<>(
                            PeerRoles.Changed.class,
                            context.messageAdapter(PeerRoles.Changed.class, changed -> Look.INSTANCE)));
            return Behaviors.receiveMessage(look -> {
                guard.look();
                return Behaviors.same();
            });
        });
    }

    private void look() {
        for (Member member : cluster.state().getMembers()) {
            Set<CertificateRole> proven = roles.at(member.address());
            if (proven == null || !IN.contains(member.status())) {
                continue;
            }
            Set<String> missing = missing(member, proven);
            if (!missing.isEmpty() || proven.stream().noneMatch(CertificateRole::isNode)) {
                context.getLog()
                        .warn(
                                "{} is removed: it joined as {}, its certificate has the role {}; make one with troupe certs --add",
                                member.address(),
                                String.join(", ", claimed(member)),
                                CertificateRole.labels(proven));
                cluster.manager().tell(new Down(member.address()));
            }
        }
    }

    private static Set<String> missing(Member member, Set<CertificateRole> proven) {
        Set<String> labels = proven.stream().map(CertificateRole::label).collect(Collectors.toSet());
        return claimed(member).stream().filter(role -> !labels.contains(role)).collect(Collectors.toSet());
    }

    private static Set<String> claimed(Member member) {
        return member.getRoles().stream()
                .filter(role -> !role.startsWith(DATA_CENTER))
                .collect(Collectors.toCollection(java.util.TreeSet::new));
    }
}
