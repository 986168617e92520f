package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.TextEvent;
import dev.troupe.serving.FinishReason;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The answer of {@code /v1/completions}. */
final class CompletionAnswer extends Answer {
    CompletionAnswer(GenerationCall call, ServedModel model) {
        super(call, model);
    }

    @Override
    String object(boolean ofChunk) {
        return "text_completion";
    }

    @Override
    String idPrefix() {
        return "cmpl-";
    }

    @Override
    ObjectNode chunk(
            int index,
            Choice choice,
            boolean first,
            String text,
            TextEvent.@Nullable Token token,
            @Nullable FinishReason reason) {
        ObjectNode root = envelope(true);
        String shown = first ? echoed(choice) + text : text;
        ObjectNode logprobs = token == null ? null : logprobs(List.of(token), List.of(choice.offset));
        root.withArray("choices").add(choice(index, shown, logprobs, reason));
        return root;
    }

    @Override
    ObjectNode whole(int index, Choice choice) {
        return choice(index, echoed(choice) + choice.text, logprobs(choice.tokens, choice.offsets), choice.reason);
    }

    private String echoed(Choice choice) {
        return call().echo()
                ? model().requireTokenizer("echo").decode(call().prompts().get(choice.prompt))
                : "";
    }

    private static ObjectNode choice(
            int index, String text, @Nullable ObjectNode logprobs, @Nullable FinishReason reason) {
        ObjectNode node = JSON.objectNode();
        node.put("index", index);
        node.put("text", text);
        node.set("logprobs", logprobs);
        node.put("finish_reason", reason(reason));
        return node;
    }

    private @Nullable ObjectNode logprobs(List<TextEvent.Token> tokens, List<Integer> offsets) {
        if (!call().logprobs()) {
            return null;
        }
        ObjectNode node = JSON.objectNode();
        var texts = node.putArray("tokens");
        var values = node.putArray("token_logprobs");
        var tops = node.putArray("top_logprobs");
        var starts = node.putArray("text_offset");
        for (int i = 0; i < tokens.size(); i++) {
            TextEvent.Token token = tokens.get(i);
            texts.add(model().text(token.token()));
            values.add(token.logprob());
            tops.add(byText(token.top()));
            starts.add(offsets.get(i));
        }
        return node;
    }
}
