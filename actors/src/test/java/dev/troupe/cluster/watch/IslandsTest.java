package dev.troupe.cluster.watch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class IslandsTest {
    private static final Incarnation ONE = new Incarnation("10.0.0.1", 1, 11);
    private static final Incarnation TWO = new Incarnation("10.0.0.2", 1, 12);
    private static final Incarnation THREE = new Incarnation("10.0.0.3", 1, 13);

    private static NodeInfo describes(Incarnation node, Incarnation... members) {
        List<Slot> homes = Stream.of(members)
                .map(member -> Slot.of(member, NodeRole.CONTROL))
                .toList();
        return new NodeInfo(node, List.of(NodeRole.CONTROL), List.of(), "", "numerics", List.of(), homes);
    }

    /** Whether {@code self} should leave when it hears the same again and again. */
    private static boolean isIsland(Incarnation self, Set<Incarnation> own, NodeInfo other) {
        Islands islands = new Islands(self);
        for (int round = 1; round < Islands.SIGHTINGS; round++) {
            islands.note(own, other);
            assertThat(islands.isIsland()).as("too soon").isFalse();
        }
        islands.note(own, other);
        return islands.isIsland();
    }

    @Test
    void theSmallerOfTwoClustersIsOneAndTheLargerIsNot() {
        assertThat(isIsland(ONE, Set.of(ONE), describes(TWO, TWO, THREE))).isTrue();
        assertThat(isIsland(TWO, Set.of(TWO, THREE), describes(ONE, ONE))).isFalse();
    }

    @Test
    void ofTwoAlikeTheOneWithTheLowestNodeStays() {
        assertThat(isIsland(ONE, Set.of(ONE), describes(TWO, TWO))).isFalse();
        assertThat(isIsland(TWO, Set.of(TWO), describes(ONE, ONE))).isTrue();
    }

    @Test
    void aNodeThatHasNotJoinedYetIsNone() {
        assertThat(isIsland(ONE, Set.of(), describes(TWO, TWO, THREE))).isFalse();
    }

    @Test
    void aNodeThatTheOthersKnowIsNone() {
        assertThat(isIsland(ONE, Set.of(ONE), describes(TWO, ONE, TWO, THREE))).isFalse();
        assertThat(isIsland(ONE, Set.of(ONE, TWO), describes(TWO, TWO, THREE))).isFalse();
    }

    @Test
    void aNodeThatOnlyJoinsSoonDoesNotMakeOne() {
        assertThat(isIsland(THREE, Set.of(THREE), describes(ONE))).isFalse();
    }

    @Test
    void startsToCountAnewWhenTheOtherClusterIsNotSeen() {
        Islands islands = new Islands(ONE);
        for (int round = 1; round < Islands.SIGHTINGS; round++) {
            islands.note(Set.of(ONE), describes(TWO, TWO, THREE));
            assertThat(islands.isIsland()).isFalse();
        }
        assertThat(islands.isIsland()).isFalse();
        islands.note(Set.of(ONE), describes(TWO, TWO, THREE));
        assertThat(islands.isIsland()).isFalse();
    }
}
