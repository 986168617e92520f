package dev.troupe.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class SurvivalTest {
    private static final long MIB = 1 << 20;

    /** Every layer's share of a KV group takes a mebibyte: 32 for the whole model. */
    private static final Footprint FOOTPRINT = (partition, stage, rank, device) -> {
        var layers = partition.stages().get(stage);
        var groups = layers.ranks().get(rank);
        return (long) layers.layers() * (groups.toGroup() - groups.fromGroup()) * MIB;
    };

    private static SplitPlanner planner(int stages, int ranks) {
        return new SplitPlanner(Models.config(8, 4, 2048), stages, ranks, null, FOOTPRINT);
    }

    private static Survival.Node all(String name, long memory) {
        return new Survival.Node(
                name, true, true, List.of(new Site(name, name + "/cpu0", new DeviceProfile("cpu0", 1, memory))));
    }

    private static Survival.Node compute(String name) {
        return new Survival.Node(name, false, false, all(name, 0).sites());
    }

    private static List<Survival.Node> whole(int count, long memory) {
        List<Survival.Node> nodes = new ArrayList<>();
        for (int n = 1; n <= count; n++) {
            nodes.add(all("n" + n, memory));
        }
        return nodes;
    }

    private static Survival of(List<Survival.Node> nodes) {
        return Survival.of(nodes, OptionalInt.empty(), planner(2, 2), 0);
    }

    @Test
    void aNodeOfItsOwnOutlivesNothing() {
        Survival survival = of(whole(1, 0));

        assertThat(survival.outlivesAnyNode()).isFalse();
        assertThat(survival.losses()).isZero();
        assertThat(survival.replica().get("n1")).isInstanceOf(Survival.NoCapacity.class);
        assertThat(survival.sentences().getFirst())
                .isEqualTo(
                        "membership: 1 node votes (role control): the cluster ends with it; three would outlive the loss of any one");
        assertThat(survival.sentences().getLast())
                .isEqualTo("streams: their logs have one holder, n1, and are lost with it");
    }

    @Test
    void ofTwoNodesEitherMayTakeTheOtherWithIt() {
        Survival survival = of(whole(2, 0));

        assertThat(survival.outlivesAnyNode()).isFalse();
        assertThat(survival.losses()).isZero();
        assertThat(survival.sentences())
                .containsExactly(
                        "membership: 2 nodes vote (role control): losing one may end the other too; a third would outlive the loss of any one",
                        "replica: after the loss of any one node it has a smaller split, 1 x 2",
                        "streams: every log has a second holder; after one loss it has none until a node comes back");
    }

    @Test
    void threeNodesOutliveAnyOne() {
        Survival survival = of(whole(3, 0));

        assertThat(survival.outlivesAnyNode()).isTrue();
        assertThat(survival.sentences())
                .containsExactly(
                        "membership: 3 nodes vote (role control); it outlives the loss of any one of them",
                        "replica: after the loss of any one node it has the same split",
                        "streams: every log has a second holder, and finds another when it loses one");
    }

    @Test
    void aSpareKeepsTheSplitAndFourNodesGiveItUp() {
        assertThat(of(whole(5, 0)).replica().values()).containsOnly(new Survival.SameSplit());
        assertThat(of(whole(4, 0)).replica().values()).containsOnly(new Survival.SmallerSplit(1, 2));
    }

    @Test
    void remembersHowManyDevicesThereWere() {
        Survival survival = Survival.of(whole(3, 0), OptionalInt.empty(), planner(2, 2), 4);

        assertThat(survival.replica().values()).containsOnly(new Survival.SmallerSplit(1, 2));
    }

    @Test
    void saysWhichLossLeavesNoRoom() {
        List<Survival.Node> nodes = List.of(all("big", 32 * MIB), all("n2", 8 * MIB), all("n3", 8 * MIB));

        Survival survival = of(nodes);

        assertThat(survival.outlivesAnyNode()).isFalse();
        assertThat(survival.replica().get("big")).isInstanceOf(Survival.NoCapacity.class);
        assertThat(survival.replica().get("n2")).isEqualTo(new Survival.SmallerSplit(1, 1));
        assertThat(survival.sentences().get(1))
                .startsWith("replica: it has no capacity (no_capacity: 2 x 2 ranks keep")
                .endsWith("after the loss of big; a smaller split, 1 x 1 after the loss of n2 or n3");
    }

    @Test
    void aQuorumIsOfAllVotersThatThereShouldBe() {
        OptionalInt ofFive = OptionalInt.of(3);

        assertThat(Survival.of(whole(5, 0), ofFive, planner(2, 2), 0).losses()).isEqualTo(2);
        assertThat(Survival.of(whole(4, 0), ofFive, planner(2, 2), 5).losses()).isEqualTo(1);
        Survival three = Survival.of(whole(3, 0), ofFive, planner(2, 2), 5);
        assertThat(three.losses()).isZero();
        assertThat(three.sentences().getFirst()).contains("all are needed", "the next loss ends the cluster");
        assertThat(Survival.of(whole(2, 0), ofFive, planner(2, 2), 5).losses()).isZero();
    }

    @Test
    void ofAnEvenNumberOneHalfMayNotBeEnough() {
        assertThat(of(whole(4, 0)).losses()).isEqualTo(1);
        assertThat(of(whole(5, 0)).losses()).isEqualTo(2);
        assertThat(of(whole(6, 0)).losses()).isEqualTo(2);
    }

    @Test
    void nodesThatOnlyComputeDoNotVoteAndHoldNoLogs() {
        List<Survival.Node> nodes = new ArrayList<>();
        nodes.add(new Survival.Node("front", true, true, List.of()));
        nodes.add(new Survival.Node("second", true, false, List.of()));
        nodes.add(new Survival.Node("third", true, false, List.of()));
        nodes.add(compute("c1"));
        nodes.add(compute("c2"));

        Survival survival = of(nodes);

        assertThat(survival.voters()).isEqualTo(3);
        assertThat(survival.logHolders()).containsExactly("front", "second", "third");
        assertThat(survival.replica().get("front")).isEqualTo(new Survival.SameSplit());
        assertThat(survival.replica().get("c1")).isEqualTo(new Survival.SmallerSplit(1, 2));
        assertThat(survival.outlivesAnyNode())
                .as("clients find no other front end")
                .isFalse();
        assertThat(survival.sentences().getLast()).contains("front is the only front end");
    }
}
