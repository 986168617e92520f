package dev.troupe.cluster.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.cluster.guardian.ModelCard;
import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.guardian.Promises;
import dev.troupe.cluster.guardian.RegisteredModel;
import dev.troupe.cluster.guardian.Vote;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.plan.DeviceProfile;
import dev.troupe.plan.Site;
import dev.troupe.stage.Epoch;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class BallotTest {
    private static final Incarnation ONE = new Incarnation("127.0.0.1", 2551, 1);
    private static final Incarnation TWO = new Incarnation("127.0.0.2", 2551, 2);
    private static final Incarnation THREE = new Incarnation("127.0.0.3", 2551, 3);
    private static final Epoch EPOCH = new Epoch(4, 1);
    private static final ModelCard CARD =
            new ModelCard(new RegisteredModel("tales", "f00d"), Map.of("tensor w", "1", "tensor x", "1"));
    private static final List<Slot> ALL = List.of(cpu(ONE), cpu(TWO), cpu(THREE), Slot.of(ONE, NodeRole.CONTROL));

    private static Slot cpu(Incarnation node) {
        return new Slot(node, "cpu0");
    }

    private static NodeInfo info(Incarnation node, List<Slot> homes) {
        return new NodeInfo(
                node,
                List.of(NodeRole.CONTROL, NodeRole.COMPUTE),
                List.of(new DeviceProfile("cpu0", 1, 0)),
                node.host() + ":9",
                "exact-1",
                List.of(),
                homes);
    }

    private static Ballot ballot(Incarnation... asked) {
        Ballot ballot = new Ballot(EPOCH, CARD);
        List.of(asked).forEach(ballot::ask);
        return ballot;
    }

    private static List<String> slots(Ballot ballot) {
        return ballot.sites().stream().map(Site::slot).toList();
    }

    @Test
    void isWonOnTheNodesThatPromise() {
        Ballot ballot = ballot(ONE, TWO, THREE);

        ballot.note(new Vote.Promised(EPOCH, info(ONE, ALL)));
        ballot.note(new Vote.Promised(EPOCH, info(THREE, ALL)));

        assertThat(slots(ballot))
                .containsExactly(cpu(ONE).toString(), cpu(THREE).toString());
        assertThat(ballot.hasAll(Set.of(ONE, THREE))).isTrue();
        assertThat(ballot.hasAll(Set.of(ONE, TWO))).isFalse();
        assertThat(ballot.lane(THREE)).isEqualTo("127.0.0.3:9");
        assertThat(ballot.lane(TWO)).isEmpty();
    }

    @Test
    void isLostToAHigherOne() {
        Ballot ballot = ballot(ONE, TWO);
        ballot.note(new Vote.Promised(EPOCH, info(ONE, ALL)));

        ballot.note(new Vote.Refused(EPOCH, TWO, new Epoch(6, 9)));

        assertThat(ballot.isLost()).isTrue();
        assertThat(ballot.highest()).isEqualTo(new Epoch(6, 9));
    }

    @Test
    void ignoresVotesOnOtherBallotsAndOfNodesThatWereNotAsked() {
        Ballot ballot = ballot(ONE);

        ballot.note(new Vote.Promised(new Epoch(3, 1), info(ONE, ALL)));
        ballot.note(new Vote.Refused(new Epoch(3, 1), ONE, new Epoch(9, 9)));
        ballot.note(new Vote.Promised(EPOCH, info(TWO, ALL)));

        assertThat(ballot.promised()).isEmpty();
        assertThat(ballot.isLost()).isFalse();
    }

    @Test
    void usesASlotOnlyWhenAllThatPromiseKnowItsHome() {
        Ballot ballot = ballot(ONE, TWO);
        ballot.note(new Vote.Promised(EPOCH, info(ONE, ALL)));
        ballot.note(new Vote.Promised(EPOCH, info(TWO, List.of(cpu(ONE)))));
        assertThat(slots(ballot)).containsExactly(cpu(ONE).toString());
        assertThat(ballot.isUnsettled()).isTrue();

        ballot.note(new Vote.Promised(EPOCH, info(TWO, ALL)));

        assertThat(slots(ballot)).containsExactly(cpu(ONE).toString(), cpu(TWO).toString());
        assertThat(ballot.isUnsettled()).isFalse();
    }

    @Test
    void tellsWhatEveryNodeSaid() {
        Ballot ballot = ballot(ONE, TWO, THREE);
        ballot.note(new Vote.Promised(EPOCH, info(ONE, ALL)));
        ballot.note(new Vote.Unfit(EPOCH, TWO, "another checkpoint", Map.of("tensor w", "1", "tensor x", "2")));

        assertThat(ballot.account())
                .isEqualTo("127.0.0.1:2551 takes part; "
                        + "127.0.0.2:2551 does not take part: another checkpoint; tensor x differs: here 1, there 2; copy one checkpoint to both nodes; "
                        + "127.0.0.3:2551 did not answer");
    }

    /** Two issuers, three guardians, messages in any order, lost and repeated: no epoch is ever won twice. */
    @Test
    void neverLetsTwoIssuersWinTheSameEpoch() {
        for (int seed = 0; seed < 500; seed++) {
            Random random = new Random(seed);
            List<Promises> guardians = List.of(new Promises(), new Promises(), new Promises());
            List<Rounds> issuers = List.of(new Rounds(1), new Rounds(2));
            List<Epoch> tried = new ArrayList<>(List.of(Epoch.NONE, Epoch.NONE));
            Set<Epoch> won = new HashSet<>();
            List<Epoch> highest = new ArrayList<>(List.of(Epoch.NONE, Epoch.NONE, Epoch.NONE));
            for (int turn = 0; turn < 40; turn++) {
                int issuer = random.nextInt(2);
                Epoch epoch = issuers.get(issuer).next(tried.get(issuer));
                Epoch seen = epoch;
                boolean all = true;
                for (int g = 0; g < 3; g++) {
                    if (random.nextInt(4) == 0) {
                        continue;
                    }
                    Epoch answer = guardians.get(g).offer("tales/0", epoch);
                    assertThat(answer).as("seed %d", seed).isGreaterThanOrEqualTo(highest.get(g));
                    highest.set(g, answer);
                    all &= answer.equals(epoch);
                    seen = answer.compareTo(seen) > 0 ? answer : seen;
                }
                tried.set(issuer, seen);
                if (all) {
                    assertThat(won.add(epoch))
                            .as("seed %d: %s won twice", seed, epoch)
                            .isTrue();
                }
            }
        }
    }
}
