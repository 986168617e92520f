package dev.troupe.config;

import java.time.Duration;

/**
 * How generations outlive their front ends ({@code troupe.generation}).
 *
 * @param resumeWithin how long a generation is kept whose client or front end is lost
 */
public record GenerationConfig(Duration resumeWithin) {
    /** Signs of life of an owner until another node gives its log up. */
    private static final long SIGNS = 6;

    public GenerationConfig {
        Check.holds(
                resumeWithin.compareTo(Duration.ofSeconds(1)) >= 0,
                "generation.resume-within",
                resumeWithin,
                "at least 1s, which is about what a client needs to notice that its front end is lost");
    }

    /** How often the second holder of a log hears that its owner is there. */
    public Duration signOfLife() {
        return resumeWithin.dividedBy(SIGNS);
    }
}
