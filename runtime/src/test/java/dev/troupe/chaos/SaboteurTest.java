package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.stage.CandidateRequest;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.Peer;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorRoad;
import dev.troupe.stage.TensorShard;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.junit.jupiter.api.Test;

class SaboteurTest {
    private static final CandidateRequest MESSAGE = new CandidateRequest(Epoch.NONE, 1, 1, Ints.of(0), Ints.of(1));

    private final Saboteur saboteur = new Saboteur(Duration.ZERO);

    private static Peer peer(String lane) {
        return new Peer(
                new ShardId(Epoch.NONE, 0, 0),
                lane,
                TestInbox.<TensorShard.Command>create().getRef());
    }

    @Test
    void dropsAndCountsOnlyWhatGoesToACutLane() {
        List<String> sent = new ArrayList<>();
        TensorRoad road = saboteur.road((peer, message) -> sent.add(peer.lane()));
        saboteur.cut("a:1", Duration.ofMinutes(1));

        road.send(peer("a:1"), MESSAGE);
        road.send(peer("b:1"), MESSAGE);

        assertThat(sent).containsExactly("b:1");
        assertThat(saboteur.cutMessages()).isEqualTo(1);
    }

    @Test
    void aCutHealsByItself() throws InterruptedException {
        List<String> sent = new ArrayList<>();
        TensorRoad road = saboteur.road((peer, message) -> sent.add(peer.lane()));
        saboteur.cut("a:1", Duration.ofNanos(1));
        long after = System.nanoTime();
        while (System.nanoTime() == after) {
            Thread.onSpinWait();
        }

        road.send(peer("a:1"), MESSAGE);

        assertThat(sent).containsExactly("a:1");
    }

    @Test
    void delaysNothingUntilItIsTold() {
        saboteur.afterWork(Duration.ofHours(1).toNanos());

        assertThat(saboteur.slowedUnits()).isZero();
        assertThat(saboteur.stuckUnits()).isZero();
    }

    @Test
    void onlyThePoisonedTokenIsDeadly() {
        TokenBatch batch = new TokenBatch(new int[] {5, 0, 9}, new int[] {0, 1, 2}, new int[3], new int[1][1]);

        assertThat(saboteur.isDeadly(batch)).isFalse();
        saboteur.poison(8);
        assertThat(saboteur.isDeadly(batch)).isFalse();
        saboteur.poison(9);
        assertThat(saboteur.isDeadly(batch)).isTrue();
    }

    @Test
    void aUnitOfWorkTakesTheFactorAsLong() {
        saboteur.slow(3, Duration.ofMinutes(1));
        long start = System.nanoTime();

        saboteur.afterWork(Duration.ofMillis(20).toNanos());

        assertThat(System.nanoTime() - start)
                .isGreaterThanOrEqualTo(Duration.ofMillis(40).toNanos());
        assertThat(saboteur.slowedUnits()).isEqualTo(1);
    }

    @Test
    void aStuckUnitComesBackWhenTheTimeIsOver() {
        saboteur.stick(Duration.ofMillis(50));
        long start = System.nanoTime();

        saboteur.afterWork(0);

        assertThat(System.nanoTime() - start)
                .isGreaterThanOrEqualTo(Duration.ofMillis(40).toNanos());
        assertThat(saboteur.stuckUnits()).isEqualTo(1);
    }
}
