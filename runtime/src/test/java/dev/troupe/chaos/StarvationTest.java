package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.Troupe;
import dev.troupe.node.NodeProcess;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Pauses as long as the resolver's patience, and processes that leave the nodes next to no processor. */
@Tag("matrix")
@ExtendWith(SharedCluster.class)
@Order(SharedCluster.LAST)
class StarvationTest {
    private static final int SPINNING = 8;
    private static final Duration STARVED = Duration.ofSeconds(20);
    private static final Duration SLEEP = Duration.ofSeconds(20);

    /** No node is put out, and none puts itself out. */
    @Test
    void eightSpinningProcessesEndNobody(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");
        StreamWatch undisturbed = cluster.undisturbed(ChaosCluster.REQUEST);
        List<NodeProcess> nodes =
                cluster.others("").stream().map(cluster::process).toList();
        List<Long> before = nodes.stream().map(NodeProcess::pid).toList();
        List<Process> hogs = new ArrayList<>();
        try {
            for (int i = 0; i < SPINNING; i++) {
                hogs.add(new ProcessBuilder("sh", "-c", "while :; do :; done").start());
            }
            long begin = System.nanoTime();
            while (System.nanoTime() - begin < STARVED.toNanos()) {
                StreamWatch stream = ChaosRun.undisturbed(troupe, ChaosCluster.REQUEST);
                assertThat(undisturbed.differenceFrom(stream)).isEmpty();
            }
            assertThat(hogs).allMatch(Process::isAlive);
        } finally {
            hogs.forEach(Process::destroyForcibly);
        }

        cluster.makeWhole();
        assertThat(nodes).as(cluster.tails()).allMatch(NodeProcess::isAlive);
        assertThat(cluster.others("").stream()
                        .map(node -> cluster.process(node).pid())
                        .toList())
                .isEqualTo(before);
    }

    @Test
    void aNodeMaySleepUntilTheOthersHavePutItOut(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");

        ChaosRun.Outcome outcome =
                cluster.survives(troupe, ChaosRun.of(ChaosCluster.rankApart(troupe), new Fault.Pause(SLEEP), 20));

        assertThat(outcome.epochs()).hasSizeGreaterThan(1);
        assertThat(outcome.gapMillis()).isLessThan((double) SLEEP.toMillis());
    }
}
