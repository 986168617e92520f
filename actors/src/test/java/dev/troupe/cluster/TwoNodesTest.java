package dev.troupe.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.cluster.guardian.NodeGuardian;
import dev.troupe.cluster.guardian.Terms;
import dev.troupe.cluster.guardian.Vote;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.cluster.slot.SlotHomes;
import dev.troupe.cluster.slot.SlotResolver;
import dev.troupe.serving.Placement;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorShard;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Two actor systems in this JVM that are one cluster. */
class TwoNodesTest {
    private static final Duration LONG = Duration.ofSeconds(60);

    private static TestNode one;
    private static TestNode two;

    @BeforeAll
    static void cluster() {
        one = TestNode.start(TestNode.Options.of("127.0.0.1", 0, "control", "compute"));
        two = TestNode.start(TestNode.Options.of("127.0.0.2", 0, "control", "compute"));
        one.join(one.address());
        two.join(one.address());
        for (TestNode node : List.of(one, two)) {
            TestProbe<SlotHomes.Snapshot> complete = TestProbe.create(node.system());
            node.resolver().tell(new SlotResolver.WhenComplete(2, complete.getRef()));
            complete.receiveMessage(LONG);
        }
    }

    @AfterAll
    static void end() {
        one.close();
        two.close();
    }

    private static Placement.Outcome place(TestNode from, Epoch above, String model, int stages, int ranks) {
        TestProbe<Placement.Outcome> outcome = TestProbe.create(from.system());
        from.node().placer().tell(new Placement.Request(model, 0, stages, ranks, above, false, outcome.getRef()));
        return outcome.receiveMessage(LONG);
    }

    private static Placement.Placed placed(TestNode from, Epoch above) {
        Placement.Outcome outcome = place(from, above, "tales", 2, 2);
        assertThat(outcome).isInstanceOf(Placement.Placed.class);
        return (Placement.Placed) outcome;
    }

    @Test
    void knowsTheHomesOfAllSlotsOnBothNodes() {
        List<Slot> homes = one.node().homes().now().homes();

        assertThat(homes).hasSize(4);
        assertThat(two.node().homes().now().homes()).isEqualTo(homes);
    }

    @Test
    void startsEveryRankOnTheSlotOfThePlan() {
        Placement.Placed placed = placed(one, Epoch.NONE);
        ReplicaPlan plan = placed.plan();
        TestProbe<PipelineStage.Command> answers = TestProbe.create(one.system());

        for (int s = 0; s < 2; s++) {
            for (int r = 0; r < 2; r++) {
                ShardId id = new ShardId(placed.epoch(), s, r);
                String slot = plan.slots().get(s).get(r);
                one.node().shards().shard(id, plan).tell(new TensorShard.Prepare(id, slot, plan, answers.getRef()));

                PipelineStage.Preparing preparing = answers.expectMessageClass(PipelineStage.Preparing.class, LONG);
                assertThat(preparing.peer().id()).isEqualTo(id);
                assertThat(preparing.peer().lane()).isEqualTo(slot);
                assertThat(preparing.peer().ref().path().address().getHost().orElse("127.0.0.1"))
                        .isEqualTo(Slot.parse(slot).node().host());
            }
        }
        assertThat(plan.slots().stream().flatMap(List::stream).distinct()).hasSize(2);
    }

    private static List<String> slotsWithout(Set<String> avoid) {
        TestProbe<Placement.Outcome> outcome = TestProbe.create(one.system());
        one.node().placer().tell(new Placement.Request("tales", 0, 2, 2, Epoch.NONE, false, avoid, outcome.getRef()));
        Placement.Placed placed = (Placement.Placed) outcome.receiveMessage(LONG);
        return placed.plan().slots().stream().flatMap(List::stream).distinct().toList();
    }

    private static int possible(Set<String> avoid) {
        TestProbe<Placement.Findings> findings = TestProbe.create(one.system());
        one.node().placer().tell(new Placement.Inquiry("tales", 2, 2, avoid, LONG, findings.getRef()));
        return findings.receiveMessage(LONG).possible();
    }

    @Test
    void givesASlotToAvoidNoRankAsLongAsOthersCanTakeAll() {
        String slow = new Slot(two.node().self(), "cpu0").toString();
        String other = new Slot(one.node().self(), "cpu0").toString();

        assertThat(slotsWithout(Set.of())).containsExactlyInAnyOrder(other, slow);
        assertThat(slotsWithout(Set.of(slow))).containsExactly(other);
        assertThat(slotsWithout(Set.of(slow, other))).containsExactlyInAnyOrder(other, slow);
        assertThat(possible(Set.of())).isEqualTo(4);
        assertThat(possible(Set.of(slow))).isEqualTo(2);
        assertThat(possible(Set.of(slow, other))).isZero();
    }

    @Test
    void givesEveryIssuerItsOwnEpochs() {
        Epoch first = placed(one, Epoch.NONE).epoch();
        Epoch second = placed(two, Epoch.NONE).epoch();
        Epoch third = placed(one, first).epoch();

        assertThat(second).isGreaterThan(first);
        assertThat(third).isGreaterThan(second);
        assertThat(first.issuer()).isEqualTo(one.node().self().uid());
        assertThat(second.issuer()).isEqualTo(two.node().self().uid());
    }

    /** Shards and lanes know a rank by its epoch alone. */
    @Test
    void givesReplicasWhoseSchedulersShareANodeDifferentEpochs() {
        TestProbe<Placement.Outcome> outcomes = TestProbe.create(one.system());
        int replicas = 8;

        for (int replica = 1; replica <= replicas; replica++) {
            one.node()
                    .placer()
                    .tell(new Placement.Request("tales", replica, 2, 2, Epoch.NONE, false, outcomes.getRef()));
        }

        Set<ShardId> ids = new HashSet<>();
        Set<Integer> placed = new HashSet<>();
        for (int i = 0; i < replicas; i++) {
            Placement.Outcome outcome = outcomes.receiveMessage(LONG);
            assertThat(outcome).isInstanceOf(Placement.Placed.class);
            Placement.Placed winner = (Placement.Placed) outcome;
            placed.add(winner.plan().replica());
            for (int s = 0; s < 2; s++) {
                for (int r = 0; r < 2; r++) {
                    assertThat(ids.add(new ShardId(winner.epoch(), s, r)))
                            .as(
                                    "rank %d of stage %d of replica %s",
                                    r, s, winner.plan().replica())
                            .isTrue();
                }
            }
        }
        assertThat(placed).hasSize(replicas);
    }

    @Test
    void refusesALowerBallotOnEveryNode() {
        Epoch epoch = placed(one, new Epoch(1000, 0)).epoch();
        TestProbe<Vote> votes = TestProbe.create(one.system());
        Epoch lower = new Epoch(epoch.round() - 1, -1);

        for (TestNode node : List.of(one, two)) {
            NodeGuardian.at(one.system(), node.address())
                    .tell(new NodeGuardian.Promise(
                            "tales/0", lower, new Terms("tales", "f00d", TestNode.NUMERICS), votes.getRef()));
            assertThat(votes.receiveMessage(LONG))
                    .isEqualTo(new Vote.Refused(lower, node.node().self(), epoch));
        }
    }

    @Test
    void letsBothPlacersEndWhenTheyCompete() {
        TestProbe<Placement.Outcome> atOne = TestProbe.create(one.system());
        TestProbe<Placement.Outcome> atTwo = TestProbe.create(two.system());
        int rounds = 10;

        for (int i = 0; i < rounds; i++) {
            one.node().placer().tell(new Placement.Request("tales", 0, 1, 2, Epoch.NONE, false, atOne.getRef()));
            two.node().placer().tell(new Placement.Request("tales", 0, 1, 2, Epoch.NONE, false, atTwo.getRef()));
        }

        Set<Epoch> won = new HashSet<>();
        for (int i = 0; i < rounds; i++) {
            for (TestProbe<Placement.Outcome> probe : List.of(atOne, atTwo)) {
                if (probe.receiveMessage(LONG) instanceof Placement.Placed winner) {
                    assertThat(won.add(winner.epoch()))
                            .as("%s won twice", winner.epoch())
                            .isTrue();
                }
            }
        }
        assertThat(won).isNotEmpty();
    }

    @Test
    void refusesDegreesThatDoNotFitTheModel() {
        assertThat(place(one, Epoch.NONE, "tales", 1, 5))
                .isInstanceOfSatisfying(
                        Placement.NotPlaced.class,
                        not -> assertThat(not.reason())
                                .startsWith("no plan for tales/0: tensor-parallel = 5")
                                .contains("these work: 1 to 4"));
    }

    @Test
    void refusesAModelThatIsNotRegistered() {
        assertThat(place(one, Epoch.NONE, "tails", 1, 1))
                .isInstanceOfSatisfying(
                        Placement.NotPlaced.class,
                        not -> assertThat(not.reason())
                                .isEqualTo("model 'tails' is not registered on %s; registered: tales"
                                        .formatted(one.node().self().hostPort())));
    }

    @Test
    void refusesToNameAnEntityOnASlotWhereItsKindDoesNotLive() {
        Incarnation node = one.node().self();

        assertThatThrownBy(() -> one.node().sharding().entity(ClusterNode.SHARD, new Slot(node, "control").entity("x")))
                .hasMessage(
                        "no entity of kind tensor-shard lives in slot %s/control; kinds and their slots: pipeline-stage in control, tensor-shard in compute"
                                .formatted(node));
    }
}
