package dev.troupe.cli;

import dev.troupe.sampling.SamplingParameters;
import java.util.Map;
import picocli.CommandLine.Option;

/** The options that say how tokens are drawn. */
final class SamplingChoice {
    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0",
            description = "0 takes the most probable token always (default: 0)")
    private float temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            defaultValue = "0",
            description = "draw from the K most probable (default: all)")
    private int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            description = "draw from the most probable that together reach P (default: 1)")
    private float topP;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            defaultValue = "0",
            description = "drop those below P times the most probable (default: 0)")
    private float minP;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "the same seed draws the same tokens, whatever the split (default: 0)")
    private long seed;

    SamplingParameters parameters() {
        return new SamplingParameters(temperature, topK, topP, minP, 1, 0, 0, Map.of(), seed, -1);
    }
}
