package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.TextEvent;
import dev.troupe.serving.FinishReason;
import dev.troupe.tensor.Ints;
import dev.troupe.text.IncrementalDetokenizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The answer of {@code /v1/completions}. */
final class CompletionAnswer extends Answer {
    /** Texts of prompts, by their number. */
    private final Map<Integer, String> echoes = new HashMap<>();

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
    ObjectNode chunk(Piece piece) {
        ObjectNode root = envelope(true);
        String shown = piece.first() ? echoed(piece.choice()) + piece.text() : piece.text();
        ObjectNode logprobs = null;
        if (piece.token() != null || (piece.first() && call().scoresPrompts())) {
            logprobs = logprobs(
                    piece.choice(),
                    piece.first(),
                    piece.token() == null ? List.of() : List.of(piece.token()),
                    piece.token() == null ? List.of() : List.of(piece.choice().offset));
            if (call().stream()) {
                piece.choice().promptTokens.clear();
            }
        }
        root.withArray("choices").add(choice(piece.index(), shown, logprobs, piece.reason()));
        return root;
    }

    @Override
    ObjectNode whole(int index, Choice choice) {
        ObjectNode logprobs = logprobs(choice, true, choice.tokens, choice.offsets);
        return choice(index, echoed(choice) + choice.text, logprobs, choice.reason);
    }

    /** The prompt's text where it is shown, else none. */
    private String echoed(Choice choice) {
        if (!call().echo()) {
            return "";
        }
        return echoes.computeIfAbsent(
                choice.prompt,
                prompt ->
                        model().requireTokenizer("echo").decode(call().prompts().get(prompt)));
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

    /** @param withPrompt whether the prompt's tokens are among them, where they are shown at all */
    private @Nullable ObjectNode logprobs(
            Choice choice, boolean withPrompt, List<TextEvent.Token> tokens, List<Integer> offsets) {
        if (!call().logprobs()) {
            return null;
        }
        ObjectNode node = JSON.objectNode();
        var texts = node.putArray("tokens");
        var values = node.putArray("token_logprobs");
        var tops = node.putArray("top_logprobs");
        var starts = node.putArray("text_offset");
        if (withPrompt && call().scoresPrompts()) {
            Ints prompt = call().prompts().get(choice.prompt);
            texts.add(model().text(prompt.get(0)));
            values.addNull();
            tops.addNull();
            for (TextEvent.PromptToken token : choice.promptTokens) {
                texts.add(model().text(token.token()));
                values.add(token.logprob());
                tops.add(byText(token.top()));
            }
            offsets(prompt).forEach(starts::add);
        }
        int echoed = echoed(choice).length();
        for (int i = 0; i < tokens.size(); i++) {
            TextEvent.Token token = tokens.get(i);
            texts.add(model().text(token.token()));
            values.add(token.logprob());
            tops.add(byText(token.top()));
            starts.add(echoed + offsets.get(i));
        }
        return node;
    }

    /** Where the text of every token begins. */
    private List<Integer> offsets(Ints prompt) {
        IncrementalDetokenizer detokenizer = model().requireTokenizer("echo").detokenizer();
        List<Integer> offsets = new ArrayList<>();
        int length = 0;
        for (int i = 0; i < prompt.size(); i++) {
            offsets.add(length);
            length += detokenizer.append(prompt.get(i)).length();
        }
        return offsets;
    }
}
