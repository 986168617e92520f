package dev.troupe.config;

import java.time.Duration;

/**
 * Faults on purpose ({@code troupe.chaos}).
 *
 * @param enabled whether they may be injected
 * @param unitDelay what every unit of compute takes more
 */
public record ChaosConfig(boolean enabled, Duration unitDelay) {
    public ChaosConfig {
        Check.holds(!unitDelay.isNegative(), "chaos.unit-delay", unitDelay.toMillis() + " ms", "0 or more");
        Check.holds(
                enabled || unitDelay.isZero(),
                "chaos.unit-delay",
                unitDelay.toMillis() + " ms",
                "0s, or troupe.chaos.enabled = on");
    }
}
