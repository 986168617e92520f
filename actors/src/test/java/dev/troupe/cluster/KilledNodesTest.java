package dev.troupe.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.cluster.identity.Slot;
import dev.troupe.process.Calibration;
import dev.troupe.process.ChildFleet;
import dev.troupe.process.ChildJvm;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Three processes, the resolver so slow (60 s) that nothing here can wait for it. */
class KilledNodesTest {
    private static final Logger LOG = LoggerFactory.getLogger(KilledNodesTest.class);
    private static final Duration RECOVERY = Duration.ofSeconds(2);
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private final ChildFleet fleet = new ChildFleet("KilledNodesTest");

    /** A node process and where it is. */
    private record Node(ChildJvm jvm, String host, int port) {
        String ask(String question) {
            return jvm.ask(question, LIMIT);
        }
    }

    /** What a new epoch looks like: who answers where, in the order of stages and ranks. */
    private record Answered(String epoch, List<Slot> slots, List<String> hosts) {
        static Answered parse(String line) {
            List<String> words = List.of(line.split(" ", -1));
            List<String[]> places =
                    words.stream().skip(1).map(word -> word.split("@", -1)).toList();
            return new Answered(
                    words.getFirst(),
                    places.stream().map(place -> Slot.parse(place[0])).toList(),
                    places.stream().map(place -> place[1]).toList());
        }

        long round() {
            return Long.parseLong(epoch.substring(1, epoch.indexOf('.')));
        }
    }

    @AfterEach
    void end() {
        fleet.close();
    }

    private Node start(String host, String roles) {
        int port = ChildFleet.freePort(host);
        return new Node(fleet.start(host, NodeMain.class, host, String.valueOf(port), roles), host, port);
    }

    private static void join(Node... nodes) {
        String seed = "pekko://troupe@%s:%d".formatted(nodes[0].host(), nodes[0].port());
        for (Node node : nodes) {
            node.ask("join " + seed);
        }
        for (Node node : nodes) {
            node.ask("complete " + nodes.length);
        }
    }

    /** Kills a node, sees that it is dead, and times a new epoch from the kill to the last rank's answer. */
    private static Answered epochAfterTheKillOf(Node victim, Node survivor) {
        assertThat(ChildFleet.listens(victim.host(), victim.port())).isTrue();
        long killed = victim.jvm().kill();
        assertThat(ChildFleet.listens(victim.host(), victim.port())).isFalse();

        Answered answered = Answered.parse(survivor.ask("epoch 2 2"));

        Duration took = Duration.ofNanos(System.nanoTime() - killed);
        LOG.warn("a new epoch answered {} ms after the kill; machine factor {}", took.toMillis(), Calibration.factor());
        assertThat(took).isLessThan(Calibration.scale(RECOVERY));
        assertThat(survivor.ask("members"))
                .as("the resolver has not removed the node yet, so nobody has waited for it")
                .contains("%s:%d#".formatted(victim.host(), victim.port()))
                .doesNotContain("Down");
        return answered;
    }

    private static Set<String> hosts(Answered answered) {
        assertThat(answered.hosts())
                .as("every rank answers from the node of its slot")
                .isEqualTo(answered.slots().stream()
                        .map(slot -> slot.node().host())
                        .toList());
        return Set.copyOf(answered.hosts());
    }

    @Test
    void startsANewEpochOnTheWantedSlotsAfterAComputeNodeAndThenTheCoordinatorsAreKilled() {
        Node one = start("127.0.0.1", "control,compute");
        Node two = start("127.0.0.2", "control,compute");
        Node three = start("127.0.0.3", "compute");
        join(one, two, three);
        Answered before = Answered.parse(one.ask("epoch 2 2"));
        assertThat(hosts(before)).containsExactlyInAnyOrder("127.0.0.1", "127.0.0.2", "127.0.0.3");

        Answered withoutThree = epochAfterTheKillOf(three, one);
        assertThat(hosts(withoutThree)).containsExactlyInAnyOrder("127.0.0.1", "127.0.0.2");
        assertThat(withoutThree.round()).isGreaterThan(before.round());

        assertThat(one.ask("coordinator")).isEqualTo("true");
        assertThat(two.ask("coordinator")).isEqualTo("false");
        Answered withoutOne = epochAfterTheKillOf(one, two);
        assertThat(hosts(withoutOne)).containsExactly("127.0.0.2");
        assertThat(withoutOne.round()).isGreaterThan(withoutThree.round());
        assertThat(two.ask("coordinator"))
                .as("no other coordinator has taken over, so nobody has asked one")
                .isEqualTo("false");
    }

    @Test
    @Tag("scenarios")
    void usesSlotsOfANodeItHasNeverUsedWhenTheCoordinatorIsDeadAndTellsWhatThatNodeHostedWhenItDiesToo() {
        Node one = start("127.0.0.1", "control,compute");
        Node two = start("127.0.0.2", "control,compute");
        Node three = start("127.0.0.3", "compute");
        join(one, two, three);
        assertThat(one.ask("coordinator")).isEqualTo("true");

        Answered answered = epochAfterTheKillOf(one, two);
        assertThat(hosts(answered)).containsExactlyInAnyOrder("127.0.0.2", "127.0.0.3");

        three.jvm().kill();
        ChildFleet.await("the loss is told", LIMIT, () -> losses(two).size() == 2);
        List<Integer> ranks = IntStream.range(0, 4)
                .filter(i -> answered.hosts().get(i).equals("127.0.0.3"))
                .boxed()
                .toList();
        String hosted = ranks.stream()
                .map(i -> "stage %d rank %d".formatted(i / 2, i % 2))
                .collect(Collectors.joining(", "));
        assertThat(losses(two))
                .containsExactlyInAnyOrderElementsOf(ranks.stream()
                        .map(i ->
                                "%d.%d node 127.0.0.3:%d was not heard of by the failure detector and does not answer; it hosted %s of tales/0"
                                        .formatted(i / 2, i % 2, three.port(), hosted))
                        .toList());
    }

    private static List<String> losses(Node node) {
        String told = node.ask("losses");
        return told.isEmpty() ? List.of() : List.of(told.split(" \\| ", -1));
    }
}
