package dev.troupe.client;

import dev.troupe.tensor.Floats;
import java.util.List;
import java.util.Objects;

/**
 * A text as a vector of length 1: a hidden state of the model, after its final norm, divided by its Euclidean length.
 *
 * @param values {@code [1, hidden]}
 * @param promptTokens of the text
 */
public record Embedding(Floats values, int promptTokens) {
    /** Which hidden state. */
    public enum Pooling {
        /** The mean over the states of all tokens. */
        MEAN,
        /** The state of the last token. */
        LAST
    }

    /**
     * The first values of a hidden state, divided by their Euclidean length. Squares are summed in ascending order in double
     * precision and every value is rounded once; a state that is all zeros stays as it is.
     *
     * @param state {@code [1, hidden]}
     * @param dimensions values to keep, 1 to hidden
     * @return {@code [1, dimensions]}
     */
    public static Floats normalised(Floats state, int dimensions) {
        Objects.checkIndex(dimensions - 1, state.columns());
        double squares = 0;
        for (int column = 0; column < dimensions; column++) {
            double value = state.get(0, column);
            squares += value * value;
        }
        double length = squares == 0 ? 1 : Math.sqrt(squares);
        float[] values = new float[dimensions];
        for (int column = 0; column < dimensions; column++) {
            values[column] = (float) (state.get(0, column) / length);
        }
        return new Floats(1, dimensions, values);
    }

    /**
     * The embedding that these events tell of.
     *
     * @throws IllegalArgumentException if there is no hidden state among them, or no {@link TextEvent.Usage}
     */
    static Embedding of(List<TextEvent> events) {
        Floats state = null;
        TextEvent.Usage usage = null;
        for (TextEvent event : events) {
            if (event instanceof TextEvent.Hidden hidden) {
                state = hidden.values();
            } else if (event instanceof TextEvent.Usage told) {
                usage = told;
            }
        }
        if (state == null || usage == null) {
            throw new IllegalArgumentException(
                    "%d events without a hidden state and its usage".formatted(events.size()));
        }
        return new Embedding(normalised(state, state.columns()), usage.promptTokens());
    }
}
