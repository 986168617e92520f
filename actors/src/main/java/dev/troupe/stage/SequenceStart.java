package dev.troupe.stage;

import dev.troupe.sampling.SamplingParameters;
import dev.troupe.tensor.Ints;

/**
 * A sequence described whole, for ranks that do not know it (or forgot it): every other state of a rank is a fold over
 * these tokens and the ones that later entries bring.
 *
 * @param tokens all known tokens: prompt, and completion so far
 * @param promptLength how many of them are prompt
 * @param sampling how to draw
 * @param choice index among the choices of one generation, part of the noise counter
 * @param means whether a mean of hidden states will be wanted, so that rank 0 of the last stage sums them up
 */
public record SequenceStart(Ints tokens, int promptLength, SamplingParameters sampling, int choice, boolean means) {
    /** One of which no mean will be wanted. */
    public SequenceStart(Ints tokens, int promptLength, SamplingParameters sampling, int choice) {
        this(tokens, promptLength, sampling, choice, false);
    }
}
