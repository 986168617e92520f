package dev.troupe.cluster.watch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.PipelineStage;
import dev.troupe.stage.ShardId;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.junit.jupiter.api.Test;

class TenancyTest {
    private static final Incarnation ONE = new Incarnation("127.0.0.1", 2551, 1);
    private static final Incarnation TWO = new Incarnation("127.0.0.2", 2551, 2);
    private static final Incarnation THREE = new Incarnation("127.0.0.3", 2551, 3);

    private final Tenancy tenancy = new Tenancy();
    private final TestInbox<PipelineStage.Command> stage = TestInbox.create();

    private Tenant tenant(Epoch epoch, int stageIndex, int rank, Incarnation node) {
        return new Tenant(
                new ShardId(epoch, stageIndex, rank), new Slot(node, "cpu0"), node.host() + ":9", stage.getRef());
    }

    @Test
    void losesTheRanksOfANodeOnceAndSaysWhatTheyWere() {
        Epoch epoch = new Epoch(1, 1);
        tenancy.place(
                "tales/0",
                epoch,
                List.of(tenant(epoch, 0, 0, ONE), tenant(epoch, 0, 1, TWO), tenant(epoch, 1, 0, TWO)));

        List<Tenancy.Loss> losses = tenancy.lose(TWO);

        assertThat(losses).singleElement().satisfies(loss -> {
            assertThat(loss.hosted()).isEqualTo("stage 0 rank 1, stage 1 rank 0 of tales/0");
            assertThat(loss.tenants()).hasSize(2);
        });
        assertThat(tenancy.lose(TWO)).isEmpty();
        assertThat(tenancy.lose(ONE)).hasSize(1);
    }

    @Test
    void forgetsEarlierEpochsAndIgnoresLateNewsOfThem() {
        Epoch first = new Epoch(1, 1);
        Epoch second = new Epoch(2, 1);
        tenancy.place("tales/0", first, List.of(tenant(first, 0, 0, TWO)));
        tenancy.place("tales/0", second, List.of(tenant(second, 0, 0, ONE)));
        tenancy.place("tales/0", first, List.of(tenant(first, 0, 0, TWO)));

        assertThat(tenancy.lose(TWO)).isEmpty();
        assertThat(tenancy.lose(ONE)).hasSize(1);
    }

    @Test
    void believesALaneReportOnlyAboutReplicasThatTheReporterTakesPartIn() {
        Epoch first = new Epoch(1, 1);
        Epoch second = new Epoch(2, 1);
        tenancy.place("a/0", first, List.of(tenant(first, 0, 0, ONE), tenant(first, 0, 1, TWO)));
        tenancy.place("b/0", second, List.of(tenant(second, 0, 0, TWO), tenant(second, 0, 1, THREE)));

        List<Tenancy.Loss> losses = tenancy.loseLane("127.0.0.2:9", THREE);

        assertThat(losses)
                .singleElement()
                .satisfies(loss -> assertThat(loss.replica()).isEqualTo("b/0"));
        assertThat(tenancy.lose(TWO))
                .singleElement()
                .satisfies(loss -> assertThat(loss.replica()).isEqualTo("a/0"));
    }
}
