package dev.troupe.serving;

import dev.troupe.stage.Want;

/**
 * How much one step may hold, and how many steps may be in flight.
 *
 * @param tokensPerStep tokens of all sequences together
 * @param prefillChunk tokens of one sequence
 * @param sequencesPerStep entries of a step
 * @param runningSequences sequences that hold KV blocks
 * @param stepsInFlight micro-batches between scheduler and last stage; one a stage keeps every stage busy
 * @param rowsPerStep rows of logits that one step returns, or what weighs as much
 */
public record StepLimits(
        int tokensPerStep,
        int prefillChunk,
        int sequencesPerStep,
        int runningSequences,
        int stepsInFlight,
        int rowsPerStep) {
    /**
     * Known tokens of all sequences that one step describes whole: with at most 5 bytes a token they leave room beside
     * them in a message between nodes of 2 MiB.
     */
    public static final int DESCRIBED_TOKENS = 1 << 18;

    /** All that can be wanted of one token weighs less than so many rows. */
    private static final int ROW_KINDS = 2;

    private static final int ROW_WEIGHT = 16;

    public StepLimits {
        require("tokens-per-step", tokensPerStep, 1);
        require("prefill-chunk", prefillChunk, 1);
        require("sequences-per-step", sequencesPerStep, 1);
        require("running-sequences", runningSequences, 1);
        require("steps-in-flight", stepsInFlight, 1);
        require("rows-per-step", rowsPerStep, ROW_KINDS);
    }

    private static void require(String name, int value, int least) {
        if (value < least) {
            throw new IllegalArgumentException("%s=%d, expected at least %d".formatted(name, value, least));
        }
    }

    /** What the answer to a want weighs, in sixteenths of a row of logits. */
    static int weight(Want.Kind kind) {
        return switch (kind) {
            case TOKEN -> 0;
            case ROW -> ROW_WEIGHT;
            // Hidden states are shorter than rows of logits; a score is a few numbers and the span sums of the row.
            case HIDDEN, MEAN -> 7;
            case SCORE -> 1;
        };
    }

    /** What the answers of one step may weigh. */
    long wantsPerStep() {
        return (long) ROW_WEIGHT * rowsPerStep;
    }

    /** These limits, with no more rows in a step than {@code bytes} hold, but at least one of each kind. */
    StepLimits withRowsWithin(long bytes, int vocabularySize) {
        long rows = Math.max(ROW_KINDS, bytes / ((long) Float.BYTES * vocabularySize));
        return new StepLimits(tokensPerStep, prefillChunk, sequencesPerStep, runningSequences, stepsInFlight, (int)
                Math.min(rows, rowsPerStep));
    }

    /** Limits for a small machine: 256 tokens a step, so that a long prompt never stalls running streams for long. */
    public static StepLimits standard(int stepsInFlight) {
        return new StepLimits(256, 128, 64, 256, stepsInFlight, 16);
    }
}
