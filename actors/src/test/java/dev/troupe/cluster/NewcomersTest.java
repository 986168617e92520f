package dev.troupe.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.cluster.slot.SlotHomes;
import dev.troupe.cluster.slot.SlotResolver;
import dev.troupe.cluster.watch.LaneLosses;
import dev.troupe.cluster.watch.NodeWatch;
import dev.troupe.process.ChildFleet;
import dev.troupe.serving.Placement;
import dev.troupe.stage.Epoch;
import dev.troupe.wire.lane.LaneAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Leave;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** Members that come, do not fit, and go, in one JVM. */
class NewcomersTest {
    private static final Duration LONG = Duration.ofSeconds(60);

    private final Logger pekko = (Logger) LoggerFactory.getLogger("org.apache.pekko.cluster.sharding");
    private final ListAppender<ILoggingEvent> errors = new ListAppender<>();
    private final List<TestNode> nodes = new ArrayList<>();

    @BeforeEach
    void listen() {
        errors.start();
        pekko.addAppender(errors);
    }

    @AfterEach
    void end() {
        nodes.forEach(TestNode::close);
        pekko.detachAppender(errors);
    }

    private TestNode start(TestNode.Options options) {
        TestNode node = TestNode.start(options);
        nodes.add(node);
        node.join(nodes.getFirst().address());
        for (TestNode each : nodes) {
            TestProbe<SlotHomes.Snapshot> complete = TestProbe.create(each.system());
            each.resolver().tell(new SlotResolver.WhenComplete(nodes.size(), complete.getRef()));
            complete.receiveMessage(LONG);
        }
        return node;
    }

    private static TestNode.Options options(String host, String fingerprint, String... roles) {
        return new TestNode.Options(host, 0, List.of(roles), TestNode.NUMERICS, fingerprint);
    }

    private static Placement.Outcome place(TestNode from) {
        TestProbe<Placement.Outcome> outcome = TestProbe.create(from.system());
        from.node().placer().tell(new Placement.Request("tales", 0, 1, 2, Epoch.NONE, false, outcome.getRef()));
        return outcome.receiveMessage(LONG);
    }

    private static List<Slot> slots(Placement.Outcome outcome) {
        assertThat(outcome).isInstanceOf(Placement.Placed.class);
        return ((Placement.Placed) outcome)
                .plan().slots().getFirst().stream().map(Slot::parse).toList();
    }

    @Test
    void leavesOutANodeWithAnotherCheckpointAndNamesTheTensorOnBothSides() {
        TestNode control = start(options("127.0.0.1", "f00d", "control"));
        TestNode other = start(options("127.0.0.2", "beef", "compute"));
        String difference =
                "tensor model.norm.weight differs: here norm-f00d, there norm-beef; copy one checkpoint to both nodes";

        ChildFleet.await(
                "the misfit is seen",
                LONG,
                () -> control.node().misfits().now().containsKey(other.node().self()));
        assertThat(control.node().misfits().now())
                .containsEntry(other.node().self(), "another checkpoint of model 'tales': " + difference);
        assertThat(place(control))
                .isInstanceOfSatisfying(
                        Placement.NotPlaced.class,
                        not -> assertThat(not.reason())
                                .startsWith("no node can take part in tales/0: ")
                                .contains(
                                        "%s does not take part: its checkpoint of 'tales' has fingerprint beef, the replica's has f00d; %s"
                                                .formatted(other.node().self().hostPort(), difference)));

        TestNode fitting = start(options("127.0.0.3", "f00d", "compute"));

        assertThat(slots(place(control))).containsOnly(new Slot(fitting.node().self(), "cpu0"));
        ChildFleet.await(
                "the misfit sees it too",
                LONG,
                () -> other.node().misfits().now().containsKey(fitting.node().self()));
    }

    @Test
    void goesOnWithoutANodeThatLeavesAndTellsWhoHadRanksThere() {
        TestNode stays = start(options("127.0.0.1", "f00d", "control", "compute"));
        TestNode leaves = start(options("127.0.0.2", "f00d", "control", "compute"));
        assertThat(slots(place(stays))).hasSize(2).doesNotHaveDuplicates();
        assertThat(stays.node().live(NodeRole.CONTROL)).hasSize(2);
        TestProbe<NodeWatch.NodeLost> losses = TestProbe.create(stays.system());
        stays.node().watch().tell(new NodeWatch.Subscription(losses.getRef()));
        TestNode.LOSSES.clear();

        Cluster.get(leaves.system()).manager().tell(Leave.create(leaves.address()));

        String gone =
                "node %s leaves the cluster".formatted(leaves.node().self().hostPort());
        assertThat(losses.receiveMessage(LONG))
                .isEqualTo(new NodeWatch.NodeLost(leaves.node().self(), gone));
        assertThat(stays.node().live(NodeRole.CONTROL))
                .containsExactly(Slot.of(stays.node().self(), NodeRole.CONTROL));
        ChildFleet.await("the stage is told", LONG, () -> !TestNode.LOSSES.isEmpty());
        assertThat(TestNode.LOSSES).containsExactly("0.1 " + gone + "; it hosted stage 0 rank 1 of tales/0");
        assertThat(slots(place(stays))).containsOnly(new Slot(stays.node().self(), "cpu0"));
        ChildFleet.await(
                "its slots are forgotten",
                LONG,
                () -> stays.node().homes().now().nodes().size() == 1);
        assertThat(stays.node().live(NodeRole.CONTROL)).hasSize(1);
        assertThat(errors.list).noneMatch(event -> event.getLevel().isGreaterOrEqual(Level.ERROR));
    }

    @Test
    void issuesNoEpochFromANodeThatHasSaidThatItLeaves() {
        TestNode stays = start(options("127.0.0.1", "f00d", "control", "compute"));
        TestNode leaves = start(options("127.0.0.2", "f00d", "control", "compute"));
        assertThat(slots(place(leaves))).hasSize(2);

        leaves.node().announceLeave(leaves.system());

        assertThat(place(leaves))
                .isEqualTo(new Placement.Withdrawn("node %s leaves the cluster"
                        .formatted(leaves.node().self().hostPort())));
        assertThat(slots(place(stays))).containsOnly(new Slot(stays.node().self(), "cpu0"));
    }

    @Test
    void believesABrokenLaneAtOnceAlsoWhenAnotherNodeReportsIt() {
        TestNode control = start(options("127.0.0.1", "f00d", "control", "compute"));
        TestNode reporter = start(options("127.0.0.2", "f00d", "compute"));
        TestNode lost = start(options("127.0.0.3", "f00d", "compute"));
        TestProbe<Placement.Outcome> outcome = TestProbe.create(control.system());
        control.node().placer().tell(new Placement.Request("tales", 0, 1, 3, Epoch.NONE, false, outcome.getRef()));
        outcome.receiveMessage(LONG);
        TestNode.LOSSES.clear();

        new LaneLosses(reporter.system()).lost(LaneAddress.parse(lost.lane()), 0, "connection reset");

        ChildFleet.await("the stage is told", LONG, () -> !TestNode.LOSSES.isEmpty());
        assertThat(TestNode.LOSSES)
                .containsExactly(
                        "0.2 the tensor lane from %s to node %s was lost (connection reset); that node hosted stage 0 rank 2 of tales/0"
                                .formatted(
                                        reporter.node().self().hostPort(),
                                        lost.node().self().hostPort()));
        assertThat(control.node().live(NodeRole.COMPUTE)).as("it answers").hasSize(3);
    }
}
