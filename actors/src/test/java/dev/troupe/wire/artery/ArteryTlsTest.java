package dev.troupe.wire.artery;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.wire.tls.CertificateRole;
import dev.troupe.wire.tls.TestCertificates;
import dev.troupe.wire.tls.TlsFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Join;
import org.apache.pekko.cluster.typed.JoinSeedNodes;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who joins a cluster under TLS, and who does not. */
class ArteryTlsTest {
    private static final Duration SOON = Duration.ofSeconds(30);

    private final List<ActorSystem<Void>> systems = new ArrayList<>();

    @TempDir
    Path directory;

    private TestCertificates certificates;
    private ActorSystem<Void> first;

    @BeforeEach
    void formAClusterOfOne() throws IOException {
        certificates = new TestCertificates(directory.resolve("certs"));
        first = start("127.0.0.1", "control", certificates.files("127.0.0.1", CertificateRole.CONTROL));
        Cluster.get(first).manager().tell(Join.create(address(first)));
        eventually("it is up", () -> up(first).size() == 1);
    }

    @AfterEach
    void stop() {
        for (ActorSystem<Void> system : systems) {
            // One that the cluster has removed may take its time; it is not what is tested here.
            ActorTestKit.shutdown(system, SOON, false);
        }
    }

    private ActorSystem<Void> start(String host, String role, TlsFiles files) {
        return start(host, role, ArteryTls.settings(files));
    }

    private ActorSystem<Void> start(String host, String role, Map<String, ?> transport) {
        Config config = ConfigFactory.parseMap(transport)
                .withFallback(ConfigFactory.parseString("""
                        pekko {
                          loglevel = OFF
                          actor.provider = cluster
                          remote.artery { canonical.hostname = "%s", canonical.port = 0 }
                          cluster {
                            roles = [%s]
                            jmx.enabled = off
                            seed-node-timeout = 1s
                            shutdown-after-unsuccessful-join-seed-nodes = 4s
                            gossip-interval = 200ms
                            leader-actions-interval = 200ms
                            periodic-tasks-initial-delay = 200ms
                          }
                          coordinated-shutdown.run-by-actor-system-terminate = off
                        }
                        """.formatted(host, role)))
                .withFallback(ConfigFactory.load());
        ActorSystem<Void> system = ActorSystem.create(Behaviors.empty(), "troupe", config);
        systems.add(system);
        if (transport.size() > 1) {
            system.systemActorOf(MembershipGuard.create(), "membership-guard", Props.empty());
        }
        return system;
    }

    private static Address address(ActorSystem<?> system) {
        return Cluster.get(system).selfMember().address();
    }

    private static List<String> up(ActorSystem<?> system) {
        List<String> hosts = new ArrayList<>();
        for (Member member : Cluster.get(system).state().getMembers()) {
            if (member.status().equals(MemberStatus.up())) {
                hosts.add(member.address().getHost().orElseThrow());
            }
        }
        return hosts;
    }

    private static void eventually(String what, BooleanSupplier holds) {
        long end = System.nanoTime() + SOON.toNanos();
        while (!holds.getAsBoolean()) {
            if (System.nanoTime() - end > 0) {
                throw new AssertionError("not within " + SOON + ": " + what);
            }
            pause();
        }
    }

    private static void pause() {
        try {
            Thread.sleep(20);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private void join(ActorSystem<?> system) {
        Cluster.get(system).manager().tell(new JoinSeedNodes(List.of(address(first))));
    }

    @Test
    void nodesOfOneAuthorityJoin() throws IOException {
        ActorSystem<Void> second =
                start("127.0.0.2", "compute", certificates.files("127.0.0.2", CertificateRole.COMPUTE));

        join(second);

        eventually("both are up", () -> up(first).size() == 2 && up(second).size() == 2);
        assertThat(PeerRoles.of(org.apache.pekko.actor.typed.javadsl.Adapter.toClassic(first))
                        .at(address(second)))
                .containsExactly(CertificateRole.COMPUTE);
    }

    @Test
    void nodesWithoutTlsOrOfAnotherAuthorityOrHostDoNot() throws IOException {
        TestCertificates others = new TestCertificates(directory.resolve("others"));
        List<ActorSystem<Void>> strangers = List.of(
                start("127.0.0.2", "compute", Map.of("pekko.remote.artery.transport", "tcp")),
                start("127.0.0.3", "compute", others.files("127.0.0.3", CertificateRole.COMPUTE)),
                start("127.0.0.4", "compute", certificates.files("127.0.0.9", CertificateRole.COMPUTE)));

        strangers.forEach(this::join);

        for (ActorSystem<Void> stranger : strangers) {
            eventually("it gives up", () -> {
                assertThat(up(first)).containsExactly("127.0.0.1");
                return Cluster.get(stranger).isTerminated();
            });
        }
    }

    @Test
    void anExpiredNodeDoesNotEvenStart() throws IOException {
        TlsFiles expired = certificates.expired("127.0.0.2", CertificateRole.COMPUTE);

        assertThatThrownBy(() -> start("127.0.0.2", "compute", expired)).hasStackTraceContaining("has expired");
    }

    @Test
    @Tag("scenarios")
    void aClientThatJoinsAndANodeThatClaimsMoreThanItsCertificateSaysAreRemoved() throws IOException {
        List<ActorSystem<Void>> removed = List.of(
                start("127.0.0.2", "compute", certificates.files("127.0.0.2", CertificateRole.CLIENT)),
                start("127.0.0.3", "control", certificates.files("127.0.0.3", CertificateRole.COMPUTE)));

        for (ActorSystem<Void> system : removed) {
            join(system);
            eventually(
                    "it is told that it is removed", () -> Cluster.get(system).isTerminated());
            eventually("it is gone", () -> {
                List<Member> members = new ArrayList<>();
                Cluster.get(first).state().getMembers().forEach(members::add);
                return members.size() == 1;
            });
        }
    }

    @Test
    void aClientAsksAndIsNoMember() throws IOException {
        ActorSystem<Void> client =
                start("127.0.0.2", "client", certificates.files("127.0.0.2", CertificateRole.CLIENT));
        ActorRef<ActorRef<String>> echo = first.systemActorOf(
                Behaviors.receiveMessage(replyTo -> {
                    replyTo.tell("here");
                    return Behaviors.same();
                }),
                "echo",
                Props.empty());
        TestProbe<String> probe = TestProbe.create(client);
        ActorRef<ActorRef<String>> there = ActorRefResolver.get(client)
                .resolveActorRef(ActorRefResolver.get(first).toSerializationFormat(echo));

        there.tell(probe.getRef());

        assertThat(probe.receiveMessage(SOON)).isEqualTo("here");
        assertThat(up(first)).containsExactly("127.0.0.1");
    }
}
