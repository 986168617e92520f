package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.Embedding;
import dev.troupe.client.TextRequest;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;

/**
 * The body of {@code POST /v1/embeddings}.
 *
 * @param call computes the inputs and draws nothing
 * @param dimensions values of every embedding
 * @param base64 whether embeddings are sent as the Base64 of their little-endian f32, and not as numbers
 */
record EmbeddingsRequest(GenerationCall call, int dimensions, boolean base64) {
    /** As many as the API takes. */
    private static final int MOST_INPUTS = 2048;

    private static final int MOST_TOKENS = 1 << 19;

    /** Values of all embeddings together: they stand whole in memory before they are sent. */
    private static final int MOST_VALUES = 1 << 21;

    /**
     * Reads it.
     *
     * @throws ApiError naming the field that is wrong
     */
    static EmbeddingsRequest read(ObjectNode body, ServedModel model, Duration deadline) {
        Fields fields = new Fields(body, "");
        SamplingFields.requireModel(fields, model);
        int dimensions = fields.whole("dimensions", model.hiddenSize(), 1, model.hiddenSize());
        List<Ints> inputs = PromptFields.read(fields, "input", MOST_INPUTS, model);
        requireFits(inputs, dimensions, model);
        boolean base64 = oneOf(fields, "encoding_format", "float", "base64").equals("base64");
        Embedding.Pooling pooling = oneOf(fields, "pooling", "mean", "last").equals("mean")
                ? Embedding.Pooling.MEAN
                : Embedding.Pooling.LAST;
        fields.text("user");
        fields.requireNoOthers();
        TextRequest request = TextRequest.embedding(new TextRequest.Tokens(inputs.getFirst()), pooling)
                .withDeadline(deadline);
        return new EmbeddingsRequest(
                new GenerationCall(inputs, request, 1, false, false, false, false, false), dimensions, base64);
    }

    private static void requireFits(List<Ints> inputs, int dimensions, ServedModel model) {
        long tokens = 0;
        for (int i = 0; i < inputs.size(); i++) {
            int own = inputs.get(i).size();
            if (own > model.contextLength()) {
                throw ApiError.invalid(
                        "input",
                        "input[%d] has %d tokens, expected at most %d: the context length of %s"
                                .formatted(i, own, model.contextLength(), model.id()));
            }
            tokens += own;
        }
        if (tokens > MOST_TOKENS) {
            throw ApiError.invalid(
                    "input", "input has %d tokens in all, expected at most %d".formatted(tokens, MOST_TOKENS));
        }
        long values = (long) inputs.size() * dimensions;
        if (values > MOST_VALUES) {
            throw ApiError.invalid(
                    "input",
                    "%d inputs x %d dimensions = %d values, expected at most %d; send fewer inputs at a time"
                            .formatted(inputs.size(), dimensions, values, MOST_VALUES));
        }
    }

    /** The first of two texts where the field is absent. */
    private static String oneOf(Fields fields, String name, String standard, String other) {
        String given = fields.text(name).orElse(standard);
        if (!given.equals(standard) && !given.equals(other)) {
            throw ApiError.invalid(
                    name,
                    "%s=a string of %d characters, expected %s or %s".formatted(name, given.length(), standard, other));
        }
        return given;
    }
}
