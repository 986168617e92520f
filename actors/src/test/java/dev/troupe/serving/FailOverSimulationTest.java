package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToIntFunction;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class FailOverSimulationTest {
    /** Seeds: {@code -Dtroupe.simulation.seeds=100000} for the long run, {@code -Dtroupe.simulation.seed=N} for one. */
    private static final int SEEDS = Integer.getInteger("troupe.simulation.seeds", 2000);

    @Test
    void noClientSeesAFaultWhateverHappensToTheNodes() {
        Long only = Long.getLong("troupe.simulation.seed");
        List<Result> results = (only == null ? LongStream.range(0, SEEDS) : LongStream.of(only))
                .parallel()
                .mapToObj(FailOverSimulationTest::run)
                .toList();
        results.stream()
                .flatMap(result -> result.failure().stream())
                .findFirst()
                .ifPresent(failure -> {
                    throw failure;
                });
        List<FailOverSimulation.Outcome> outcomes =
                results.stream().flatMap(result -> result.outcome().stream()).toList();

        Map<GenerationFailure.Kind, Integer> failures = new EnumMap<>(GenerationFailure.Kind.class);
        outcomes.forEach(
                outcome -> outcome.failures().forEach((kind, count) -> failures.merge(kind, count, Integer::sum)));
        int completed = sum(outcomes, FailOverSimulation.Outcome::completed);
        assertThat(completed).isPositive();
        if (only == null) {
            assertThat(sum(outcomes, FailOverSimulation.Outcome::epochs)).isGreaterThan(2 * SEEDS);
            assertThat(sum(outcomes, FailOverSimulation.Outcome::moves)).isGreaterThan(SEEDS / 2);
            assertThat(sum(outcomes, FailOverSimulation.Outcome::stale)).isPositive();
            int failed = failures.values().stream().mapToInt(Integer::intValue).sum();
            System.out.printf(
                    "%d seeds: %d epochs, clients moved %d times, %d completed, failed: %s%n",
                    SEEDS,
                    sum(outcomes, FailOverSimulation.Outcome::epochs),
                    sum(outcomes, FailOverSimulation.Outcome::moves),
                    completed,
                    failures);
            // Two nodes that crash while nobody gains a token look like a request that kills nodes.
            assertThat(failed)
                    .as("%d completed, failed: %s", completed, failures)
                    .isLessThanOrEqualTo(completed / 50);
        }
    }

    private record Result(Optional<FailOverSimulation.Outcome> outcome, Optional<AssertionError> failure) {}

    private static int sum(List<FailOverSimulation.Outcome> outcomes, ToIntFunction<FailOverSimulation.Outcome> what) {
        return outcomes.stream().mapToInt(what).sum();
    }

    private static Result run(long seed) {
        try {
            return new Result(Optional.of(new FailOverSimulation(seed).run()), Optional.empty());
        } catch (AssertionError e) {
            AssertionError failure = new AssertionError("seed %d: %s".formatted(seed, e.getMessage()), e);
            return new Result(Optional.empty(), Optional.of(failure));
        }
    }
}
