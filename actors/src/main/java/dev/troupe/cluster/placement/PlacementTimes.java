package dev.troupe.cluster.placement;

import java.time.Duration;

/**
 * How long a placement waits.
 *
 * @param patience for members that do not answer, while those that do suffice; unanswered ones are asked again each time
 * @param deadline for an epoch at all
 */
public record PlacementTimes(Duration patience, Duration deadline) {
    /** Half a second, eight seconds: less than a scheduler waits by default, so that it hears the reason. */
    public static final PlacementTimes DEFAULT = new PlacementTimes(Duration.ofMillis(500), Duration.ofSeconds(8));

    public PlacementTimes {
        if (!patience.isPositive() || deadline.compareTo(patience) < 0) {
            throw new IllegalArgumentException(
                    "patience=%s, deadline=%s; expected 0 < patience <= deadline".formatted(patience, deadline));
        }
    }
}
