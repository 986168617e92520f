package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class FailOverSimulationTest {
    /** Seeds: {@code -Dtroupe.simulation.seeds=100000} for the long run, {@code -Dtroupe.simulation.seed=N} for one. */
    private static final int SEEDS = Integer.getInteger("troupe.simulation.seeds", 2000);

    @Test
    void noClientSeesAFaultWhateverHappensToTheNodes() {
        Map<GenerationFailure.Kind, Integer> failures = new EnumMap<>(GenerationFailure.Kind.class);
        int completed = 0;
        int epochs = 0;
        int stale = 0;
        Long only = Long.getLong("troupe.simulation.seed");
        for (long seed = only == null ? 0 : only; seed < (only == null ? SEEDS : only + 1); seed++) {
            FailOverSimulation.Outcome outcome;
            try {
                outcome = new FailOverSimulation(seed).run();
            } catch (AssertionError e) {
                throw new AssertionError("seed %d: %s".formatted(seed, e.getMessage()), e);
            }
            outcome.failures().forEach((kind, count) -> failures.merge(kind, count, Integer::sum));
            completed += outcome.completed();
            epochs += outcome.epochs();
            stale += outcome.stale();
        }
        assertThat(completed).isPositive();
        if (only == null) {
            assertThat(epochs).isGreaterThan(2 * SEEDS);
            assertThat(stale).isPositive();
            int failed = failures.values().stream().mapToInt(Integer::intValue).sum();
            // Two nodes that crash while nobody gains a token look like a request that kills nodes.
            assertThat(failed)
                    .as("%d completed, failed: %s", completed, failures)
                    .isLessThanOrEqualTo(completed / 50);
        }
    }
}
