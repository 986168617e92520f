package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.Troupe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Random faults for a while, at one node after the other but never a fatal one at the survivor: its memory is what must not
 * grow. {@code troupe.soak.minutes} and {@code troupe.soak.seed} say how long and which.
 */
@Tag("matrix")
@ExtendWith(SharedCluster.class)
@Order(SharedCluster.LAST)
class SoakTest {
    private static final int MINUTES = Integer.getInteger("troupe.soak.minutes", 30);
    private static final long SEED = Long.getLong("troupe.soak.seed", 1);

    /** Of the time, until which code is compiled and pools are filled. */
    private static final double WARM_UP = 0.2;

    private static final double HEAP_FACTOR = 1.25;
    private static final long HEAP_MARGIN_MIB = 16;
    private static final double RSS_FACTOR = 1.25;
    private static final long RSS_MARGIN_MIB = 64;

    private final Random random = new Random(SEED);

    @Test
    void memoryStaysFlat(ChaosCluster cluster) throws Exception {
        String survivor = cluster.node(2);
        long pid = cluster.process(survivor).pid();
        long begin = System.nanoTime();
        long length = TimeUnit.MINUTES.toNanos(MINUTES);
        @Nullable NodeMemory first = null;
        int faults = 0;
        while (System.nanoTime() - begin < length) {
            cluster.makeWhole();
            if (first == null && System.nanoTime() - begin > WARM_UP * length) {
                first = NodeMemory.of(cluster, survivor);
            }
            cluster.survives(cluster.at(survivor), fault(cluster, survivor));
            faults++;
        }
        cluster.makeWhole();
        NodeMemory last = NodeMemory.of(cluster, survivor);

        String report = "seed %d, %d minutes, %d faults, all streams identical%nat first %s%nat last  %s%n"
                .formatted(SEED, MINUTES, faults, first, last);
        Files.writeString(Path.of("target", "soak.txt"), report);
        assertThat(cluster.process(survivor).pid()).isEqualTo(pid);
        if (first == null) {
            throw new AssertionError("a soak of %d minutes is too short".formatted(MINUTES));
        }
        assertThat(last.heapMib()).as(report).isLessThan((long) (first.heapMib() * HEAP_FACTOR) + HEAP_MARGIN_MIB);
        assertThat(last.rssMib()).as(report).isLessThan((long) (first.rssMib() * RSS_FACTOR) + RSS_MARGIN_MIB);
        assertThat(last.freeBlocks()).as(report).isEqualTo(last.blocks());
        assertThat(last.generations()).as(report).isZero();
    }

    private ChaosRun fault(ChaosCluster cluster, String survivor) throws Exception {
        List<String> others = cluster.others(survivor);
        Troupe.Description now = cluster.describe();
        String victim = others.get(random.nextInt(others.size()));
        int token = 1 + random.nextInt(ChaosCluster.TOKENS - 10);
        Fault fault = switch (random.nextInt(6)) {
            case 0 -> new Fault.CrashInExchange();
            case 1 -> new Fault.Pause(Duration.ofMillis(200 + random.nextInt(6000)));
            case 2 -> new Fault.Slow(3, Duration.ofSeconds(2));
            case 3 -> new Fault.ResetConnections();
            default -> new Fault.Kill();
        };
        System.out.printf(
                "%s at %s, token %d; scheduler %s%n",
                fault, victim, token, now.roles().get("scheduler"));
        return ChaosRun.of(victim, fault, token);
    }
}
