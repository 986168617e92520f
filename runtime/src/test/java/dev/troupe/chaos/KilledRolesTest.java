package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.Troupe;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every role of a stream's life is killed at its first token, in its middle and shortly before its end. */
@ExtendWith(SharedCluster.class)
@Order(SharedCluster.LAST)
class KilledRolesTest {
    private static final int FIRST = 1;
    private static final int MIDDLE = ChaosCluster.TOKENS / 2;
    private static final int SHORTLY_BEFORE_THE_END = ChaosCluster.TOKENS - 10;

    /** Scheduler and shard coordinator are on the oldest node, where all nodes have all roles. */
    private static final String SCHEDULER_AND_COORDINATOR = "scheduler";

    static Stream<Arguments> kills() {
        return Stream.of(FIRST, MIDDLE, SHORTLY_BEFORE_THE_END)
                .flatMap(token -> Stream.of("stage-0/rank-0", "stage-1/rank-1", SCHEDULER_AND_COORDINATOR, "owner")
                        .map(role -> Arguments.of(role, token)));
    }

    @ParameterizedTest(name = "{0} at token {1}")
    @MethodSource("kills")
    void mayBeKilled(String role, int token, ChaosCluster cluster) throws Exception {
        Troupe troupe = role.equals("owner") ? cluster.besides("scheduler") : cluster.besides("scheduler", role);
        Map<String, String> roles = ChaosCluster.describe(troupe).roles();
        if (role.equals(SCHEDULER_AND_COORDINATOR)) {
            assertThat(roles.get("coordinator")).isEqualTo(roles.get("scheduler"));
        }
        String victim = ChaosCluster.player(troupe, role);
        long pid = cluster.process(victim).pid();

        ChaosRun.Outcome outcome = cluster.survives(troupe, ChaosRun.of(role, new Fault.Kill(), token));

        assertThat(outcome.role().node()).isEqualTo(victim);
        assertThat(Evidence.state(pid)).isEqualTo('X');
        assertThat(outcome.epochs()).hasSizeGreaterThan(1);
    }
}
