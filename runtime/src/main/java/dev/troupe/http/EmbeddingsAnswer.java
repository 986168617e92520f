package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.Embedding;
import dev.troupe.client.TextEvent;
import dev.troupe.tensor.Floats;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/** The answer of {@code /v1/embeddings}: one vector for each input. */
final class EmbeddingsAnswer extends Answer {
    /** A request with many inputs shall not take the places of all others. */
    private static final int MOST_TOGETHER = 16;

    private final EmbeddingsRequest request;
    private final int together;
    private final Map<Integer, Floats> vectors = new TreeMap<>();

    /** @param places that there are for all requests together */
    EmbeddingsAnswer(EmbeddingsRequest request, ServedModel model, int places) {
        super(request.call(), model);
        this.request = request;
        this.together = Math.min(request.call().prompts().size(), Math.min(MOST_TOGETHER, places));
    }

    @Override
    int together() {
        return together;
    }

    @Override
    List<ObjectNode> take(int prompt, TextEvent event) {
        if (event instanceof TextEvent.Hidden hidden) {
            vectors.put(prompt, Embedding.normalised(hidden.values(), request.dimensions()));
        }
        return super.take(prompt, event);
    }

    @Override
    ObjectNode whole() {
        ObjectNode root = JSON.objectNode();
        root.put("object", object(false));
        ArrayNode data = root.putArray("data");
        for (int input = 0; input < call().prompts().size(); input++) {
            ObjectNode node = data.addObject();
            node.put("object", "embedding");
            node.put("index", input);
            put(node, Objects.requireNonNull(vectors.get(input), "every input that has ended has a vector"));
        }
        root.put("model", model().id());
        root.set("usage", usage());
        return root;
    }

    @Override
    ObjectNode usage() {
        ObjectNode usage = super.usage();
        usage.remove("completion_tokens");
        return usage;
    }

    private void put(ObjectNode node, Floats vector) {
        if (request.base64()) {
            ByteBuffer bytes =
                    ByteBuffer.allocate(Float.BYTES * vector.columns()).order(ByteOrder.LITTLE_ENDIAN);
            for (int column = 0; column < vector.columns(); column++) {
                bytes.putFloat(vector.get(0, column));
            }
            node.put("embedding", Base64.getEncoder().encodeToString(bytes.array()));
            return;
        }
        ArrayNode values = node.putArray("embedding");
        for (int column = 0; column < vector.columns(); column++) {
            values.add(vector.get(0, column));
        }
    }

    @Override
    ObjectNode chunk(Piece piece) {
        return JSON.objectNode(); // an input's end is not told by itself
    }

    @Override
    ObjectNode whole(int index, Choice choice) {
        return JSON.objectNode(); // nor does it have choices
    }

    @Override
    String object(boolean ofChunk) {
        return "list";
    }

    @Override
    String idPrefix() {
        return "embd-";
    }
}
