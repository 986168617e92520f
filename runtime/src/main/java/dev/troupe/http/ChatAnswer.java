package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.TextEvent;
import dev.troupe.sampling.Logprob;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The answer of {@code /v1/chat/completions}. */
class ChatAnswer extends Answer {
    ChatAnswer(GenerationCall call, ServedModel model) {
        super(call, model);
    }

    @Override
    String object(boolean ofChunk) {
        return ofChunk ? "chat.completion.chunk" : "chat.completion";
    }

    @Override
    String idPrefix() {
        return "chatcmpl-";
    }

    @Override
    ObjectNode chunk(Piece piece) {
        ObjectNode root = envelope(true);
        ObjectNode node = root.withArray("choices").addObject();
        node.put("index", piece.index());
        ObjectNode delta = node.putObject("delta");
        if (piece.first()) {
            delta.put("role", "assistant");
        }
        if (piece.first() || !piece.text().isEmpty()) {
            delta.put("content", piece.text());
        }
        node.set("logprobs", piece.token() == null ? null : logprobs(List.of(piece.token())));
        node.put("finish_reason", reason(piece.reason()));
        return root;
    }

    @Override
    ObjectNode whole(int index, Choice choice) {
        ObjectNode node = JSON.objectNode();
        node.put("index", index);
        ObjectNode message = node.putObject("message");
        message.put("role", "assistant");
        message.put("content", choice.text.toString());
        message.putNull("refusal");
        node.set("logprobs", logprobs(choice.tokens));
        node.put("finish_reason", reason(choice.reason));
        return node;
    }

    final @Nullable ObjectNode logprobs(List<TextEvent.Token> tokens) {
        if (!call().logprobs()) {
            return null;
        }
        ObjectNode node = JSON.objectNode();
        ArrayNode content = node.putArray("content");
        for (TextEvent.Token token : tokens) {
            ObjectNode entry = entry(token.token(), token.logprob());
            ArrayNode top = entry.putArray("top_logprobs");
            for (Logprob logprob : token.top()) {
                top.add(entry(logprob.token(), logprob.logprob()));
            }
            content.add(entry);
        }
        node.putNull("refusal");
        return node;
    }

    private ObjectNode entry(int token, float logprob) {
        ObjectNode entry = JSON.objectNode();
        entry.put("token", model().text(token));
        entry.put("logprob", logprob);
        ArrayNode bytes = entry.putArray("bytes");
        for (byte b : model().bytes(token)) {
            bytes.add(b & 0xff);
        }
        return entry;
    }
}
