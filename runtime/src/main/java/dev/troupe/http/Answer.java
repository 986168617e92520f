package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.client.TextEvent;
import dev.troupe.sampling.Logprob;
import dev.troupe.serving.FinishReason;
import dev.troupe.serving.GenerationFailure;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * What a client gets for a call: a fold over the events of its generations, as chunks of a stream or as one object. Belongs to one
 * request; its methods are called in the order of the events.
 */
abstract class Answer {
    static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private final GenerationCall call;
    private final ServedModel model;
    private long created = Instant.now().getEpochSecond();
    private final List<Choice> choices = new ArrayList<>();
    private int cachedTokens;
    private String id = UUID.randomUUID().toString();
    private final AtomicInteger completionTokens = new AtomicInteger();

    /** A choice as far as it has come. */
    static final class Choice {
        final int prompt;
        final StringBuilder text = new StringBuilder();
        final List<TextEvent.Token> tokens = new ArrayList<>();
        final List<Integer> offsets = new ArrayList<>();
        final List<TextEvent.PromptToken> promptTokens = new ArrayList<>();

        /** Where the newest token's text begins. */
        int offset;

        private int taken;

        @Nullable
        FinishReason reason;

        private double logprob;

        Choice(int prompt) {
            this.prompt = prompt;
        }

        /** Whether it is the first one. */
        private boolean take(TextEvent.Token token, boolean keep) {
            offset = text.length();
            if (keep) {
                tokens.add(token);
                offsets.add(offset);
            }
            text.append(token.text());
            logprob += token.logprob();
            return taken++ == 0;
        }

        private double meanLogprob() {
            return taken == 0 ? Double.NEGATIVE_INFINITY : logprob / taken;
        }
    }

    Answer(GenerationCall call, ServedModel model) {
        this.call = call;
        this.model = model;
        for (int prompt = 0; prompt < call.prompts().size(); prompt++) {
            for (int choice = 0; choice < call.drawn(); choice++) {
                choices.add(new Choice(prompt));
            }
        }
    }

    GenerationCall call() {
        return call;
    }

    ServedModel model() {
        return model;
    }

    /** What the client calls it, to come back or to cancel it. */
    String id() {
        return id;
    }

    /** Prompts that are computed at a time. */
    int together() {
        return call.prompts().size();
    }

    /** When it began, in seconds since 1970. */
    long created() {
        return created;
    }

    /** It is one that another front end has begun. */
    void goOnWith(String givenId, long begun) {
        id = givenId;
        created = begun;
    }

    /** Completion tokens so far. */
    int completionTokens() {
        return completionTokens.get();
    }

    /** Takes an event over; for a stream, what the client is sent for it. */
    List<ObjectNode> take(int prompt, TextEvent event) {
        if (event instanceof TextEvent.Usage usage) {
            cachedTokens += usage.cachedTokens();
        }
        OptionalInt number = TextEvent.choiceOf(event);
        if (number.isEmpty()) {
            return List.of();
        }
        int index = prompt * call.drawn() + number.getAsInt();
        Choice choice = choices.get(index);
        return switch (event) {
            case TextEvent.Started _, TextEvent.Logits _, TextEvent.Hidden _, TextEvent.Usage _ -> List.of();
            case TextEvent.PromptToken token -> {
                choice.promptTokens.add(token);
                yield List.of();
            }
            case TextEvent.Token token -> {
                boolean first = choice.take(token, !call.stream());
                completionTokens.incrementAndGet();
                yield chunks(new Piece(index, choice, first, token.text(), token, null));
            }
            case TextEvent.Ended ended -> {
                boolean first = choice.taken == 0;
                choice.text.append(ended.text());
                choice.reason = ended.reason();
                yield chunks(new Piece(index, choice, first, ended.text(), null, ended.reason()));
            }
        };
    }

    /** Whether all choices have ended as choices should. */
    boolean isWhole() {
        return choices.stream()
                .allMatch(choice -> choice.reason == FinishReason.STOP || choice.reason == FinishReason.LENGTH);
    }

    /** The error of an answer that is not whole and will not be. */
    ApiError unfinished() {
        return ApiError.of(GenerationFailure.Kind.LOST, "the generation ended before all of its choices did");
    }

    /**
     * What one event adds to one choice.
     *
     * @param first whether the choice had nothing before
     * @param token null at its end
     * @param reason null before its end
     */
    record Piece(
            int index,
            Choice choice,
            boolean first,
            String text,
            TextEvent.@Nullable Token token,
            @Nullable FinishReason reason) {}

    /** What a stream is sent for one event of one choice. */
    List<ObjectNode> chunks(Piece piece) {
        return List.of(chunk(piece));
    }

    /** One chunk of a stream, with one choice. */
    abstract ObjectNode chunk(Piece piece);

    /** One choice of a whole answer. */
    abstract ObjectNode whole(int index, Choice choice);

    /** {@code text_completion} and the like. */
    abstract String object(boolean ofChunk);

    /** What stands before the generation's id. */
    abstract String idPrefix();

    /** An answer without choices. */
    final ObjectNode envelope(boolean ofChunk) {
        ObjectNode root = JSON.objectNode();
        root.put("id", idPrefix() + id);
        root.put("object", object(ofChunk));
        root.put("created", created);
        root.put("model", model.id());
        root.putArray("choices");
        return root;
    }

    /** The whole answer; of more choices than the client wanted the most probable ones. */
    ObjectNode whole() {
        ObjectNode root = envelope(false);
        ArrayNode shown = root.withArray("choices");
        int index = 0;
        for (int prompt = 0; prompt < call.prompts().size(); prompt++) {
            List<Choice> drawn = choices.subList(prompt * call.drawn(), (prompt + 1) * call.drawn());
            List<Choice> best = call.shown() == call.drawn()
                    ? drawn
                    : drawn.stream()
                            .sorted(Comparator.comparingDouble(Choice::meanLogprob)
                                    .reversed())
                            .limit(call.shown())
                            .toList();
            for (Choice choice : best) {
                shown.add(whole(index++, choice));
            }
        }
        root.set("usage", usage());
        return root;
    }

    /** The last chunk of a stream that ends with what it used. */
    ObjectNode usageChunk() {
        ObjectNode root = envelope(true);
        root.set("usage", usage());
        return root;
    }

    ObjectNode usage() {
        int prompt = call.prompts().stream().mapToInt(ids -> ids.size()).sum();
        ObjectNode usage = JSON.objectNode();
        usage.put("prompt_tokens", prompt);
        usage.put("completion_tokens", completionTokens());
        usage.put("total_tokens", prompt + completionTokens());
        usage.putObject("prompt_tokens_details").put("cached_tokens", cachedTokens);
        return usage;
    }

    /** What the API calls it; null while a choice goes on. */
    static @Nullable String reason(@Nullable FinishReason reason) {
        return switch (reason) {
            case null -> null;
            case STOP -> "stop";
            case LENGTH -> "length";
            case CANCELLED -> "cancelled";
            case ERROR -> "error";
        };
    }

    /** Log-probabilities by token text, the most probable first. */
    final ObjectNode byText(List<Logprob> top) {
        ObjectNode all = JSON.objectNode();
        for (Logprob logprob : top) {
            // Several tokens may stand for the same bytes.
            all.putIfAbsent(model.text(logprob.token()), JSON.numberNode(logprob.logprob()));
        }
        return all;
    }
}
