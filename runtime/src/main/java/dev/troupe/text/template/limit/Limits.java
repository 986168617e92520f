package dev.troupe.text.template.limit;

/**
 * What one rendering of a template may use. A template comes with a model, so it may be wrong or hostile.
 *
 * @param steps expressions and statements evaluated; long texts and lists count as several
 * @param depth statements, expressions, macros and values within each other
 * @param memory characters of all texts made on the way; an element of a list counts as 16
 * @param output characters of the text that comes out
 * @param source characters of the template
 */
public record Limits(long steps, int depth, long memory, long output, int source) {
    /** Enough for conversations of a million tokens. */
    public static final Limits DEFAULT = new Limits(10_000_000, 250, 32 << 20, 8 << 20, 1 << 20);

    private static final int DEEPEST = 1000;

    public Limits {
        if (steps < 1 || depth < 1 || memory < 1 || output < 1 || source < 1 || depth > DEEPEST) {
            throw new IllegalArgumentException(
                    "steps=%d depth=%d memory=%d output=%d source=%d: expected at least 1 of each, and depth at most %d"
                            .formatted(steps, depth, memory, output, source, DEEPEST));
        }
    }
}
