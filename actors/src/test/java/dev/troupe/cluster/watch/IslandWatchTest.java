package dev.troupe.cluster.watch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.cluster.TestNode;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.slot.SlotHomes;
import dev.troupe.cluster.slot.SlotResolver;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Two actor systems in this JVM, each a cluster of its own. */
class IslandWatchTest {
    private static final Duration LONG = Duration.ofSeconds(60);
    private static final Duration EVERY = Duration.ofMillis(300);

    private final TestNode one = TestNode.start(TestNode.Options.of("127.0.0.1", 0, "control", "compute"));
    private final TestNode two = TestNode.start(TestNode.Options.of("127.0.0.2", 0, "control", "compute"));

    @AfterEach
    void end() {
        one.close();
        two.close();
    }

    private static void awaitMembers(TestNode node, int count) {
        TestProbe<SlotHomes.Snapshot> complete = TestProbe.create(node.system());
        node.resolver().tell(new SlotResolver.WhenComplete(count, complete.getRef()));
        complete.receiveMessage(LONG);
    }

    private static void watch(TestNode node, TestNode other) {
        IslandWatch.start(
                node.system(),
                new IslandWatch.Setup(
                        Incarnation.self(node.system()),
                        List.of(other.address()),
                        node.node().homes(),
                        EVERY));
    }

    @Test
    void endsOneOfTwoClustersThatShouldBeOne() throws Exception {
        one.join(one.address());
        two.join(two.address());
        awaitMembers(one, 1);
        awaitMembers(two, 1);
        watch(one, two);
        watch(two, one);

        two.system().getWhenTerminated().toCompletableFuture().get(LONG.toSeconds(), TimeUnit.SECONDS);

        assertThat(CoordinatedShutdown.get(two.system()).getShutdownReason()).contains(IslandWatch.Reason.ISLAND);
        assertThat(one.system().getWhenTerminated().toCompletableFuture()).isNotDone();
    }

    @Test
    void endsNobodyWhereThereIsOneCluster() throws Exception {
        watch(one, two);
        watch(two, one);
        one.join(one.address());
        two.join(one.address());
        awaitMembers(one, 2);
        awaitMembers(two, 2);

        TimeUnit.MILLISECONDS.sleep(Islands.SIGHTINGS * 2 * EVERY.toMillis());

        assertThat(one.system().getWhenTerminated().toCompletableFuture()).isNotDone();
        assertThat(two.system().getWhenTerminated().toCompletableFuture()).isNotDone();
    }
}
