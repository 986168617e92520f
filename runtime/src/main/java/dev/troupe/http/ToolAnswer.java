package dev.troupe.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.serving.FinishReason;
import dev.troupe.text.tools.ToolCallReader;
import dev.troupe.text.tools.ToolEvent;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/** The answer of {@code /v1/chat/completions} to a request with tools: what the model writes is read for calls. */
final class ToolAnswer extends ChatAnswer {
    private static final int ID_DIGITS = 24;

    private final ToolUse use;
    private final OptionalInt marker;
    private final Map<Integer, Spoken> byIndex = new HashMap<>();

    /** What a choice has said. */
    private static final class Spoken {
        final ToolCallReader reader;
        final StringBuilder content = new StringBuilder();
        final List<String> names = new ArrayList<>();
        final List<StringBuilder> arguments = new ArrayList<>();

        Spoken(ToolCallReader reader) {
            this.reader = reader;
        }
    }

    ToolAnswer(GenerationCall call, ServedModel model, ToolUse use) {
        super(call, model);
        this.use = use;
        this.marker = model.special(model.toolFormat().marker());
    }

    @Override
    List<ObjectNode> chunks(Piece piece) {
        Spoken spoken = byIndex.computeIfAbsent(piece.index(), _ -> new Spoken(use.reader(model().toolFormat())));
        boolean marks = piece.token() != null
                && marker.isPresent()
                && marker.getAsInt() == piece.token().token();
        List<ToolEvent> events = new ArrayList<>(
                spoken.reader.append(marks ? piece.text() + model().toolFormat().marker() : piece.text()));
        if (piece.reason() != null) {
            events.addAll(spoken.reader.finish(piece.reason() != FinishReason.STOP));
        }
        List<ObjectNode> chunks = new ArrayList<>();
        for (ToolEvent event : events) {
            ObjectNode chunk = bare(piece.index(), piece.first() && chunks.isEmpty());
            say(piece.index(), spoken, event, (ObjectNode) chunk.at("/choices/0/delta"));
            chunks.add(chunk);
        }
        boolean silent = !piece.first() && piece.reason() == null && !call().logprobs();
        if (chunks.isEmpty() && silent) {
            return List.of(); // what was held back may become a call
        }
        if (chunks.isEmpty()) {
            chunks.add(bare(piece.index(), piece.first()));
        }
        if (piece.token() != null) {
            ((ObjectNode) chunks.getFirst().at("/choices/0")).set("logprobs", logprobs(List.of(piece.token())));
        }
        ((ObjectNode) chunks.getLast().at("/choices/0")).put("finish_reason", reason(spoken, piece.reason()));
        return chunks;
    }

    private static @Nullable String reason(Spoken spoken, @Nullable FinishReason reason) {
        return reason == FinishReason.STOP && spoken.reader.calls() > 0 ? "tool_calls" : reason(reason);
    }

    /** A chunk that says nothing yet. */
    private ObjectNode bare(int index, boolean first) {
        ObjectNode root = envelope(true);
        ObjectNode node = root.withArray("choices").addObject();
        node.put("index", index);
        ObjectNode delta = node.putObject("delta");
        if (first) {
            delta.put("role", "assistant");
            delta.putNull("content");
        }
        node.putNull("logprobs");
        node.putNull("finish_reason");
        return root;
    }

    private void say(int index, Spoken spoken, ToolEvent event, ObjectNode delta) {
        switch (event) {
            case ToolEvent.Content content -> {
                spoken.content.append(content.text());
                delta.put("content", content.text());
            }
            case ToolEvent.Call call -> {
                spoken.names.add(call.name());
                spoken.arguments.add(new StringBuilder());
                ObjectNode entry = delta.putArray("tool_calls").addObject();
                entry.put("index", call.index());
                fill(entry, index, call.index(), call.name(), "");
            }
            case ToolEvent.Arguments arguments -> {
                spoken.arguments.getLast().append(arguments.text());
                ObjectNode entry = delta.putArray("tool_calls").addObject();
                entry.put("index", arguments.index());
                entry.putObject("function").put("arguments", arguments.text());
            }
        }
    }

    private void fill(ObjectNode entry, int index, int call, String name, String arguments) {
        entry.put("id", callId(index, call));
        entry.put("type", "function");
        entry.putObject("function").put("name", name).put("arguments", arguments);
    }

    /** The same whenever it is asked for: of the generation, its choice and the number of the call. */
    private String callId(int index, int call) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256")
                    .digest("%s %d %d".formatted(id(), index, call).getBytes(StandardCharsets.UTF_8));
            return "call_" + HexFormat.of().formatHex(hash).substring(0, ID_DIGITS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    @Override
    ObjectNode whole(int index, Choice choice) {
        ObjectNode node = super.whole(index, choice);
        Spoken spoken = byIndex.get(index);
        if (spoken == null) {
            throw new IllegalStateException("choice %d has no events".formatted(index));
        }
        ObjectNode message = (ObjectNode) node.path("message");
        message.put("content", spoken.content.toString());
        if (spoken.reader.calls() > 0) {
            if (spoken.content.isEmpty()) {
                message.putNull("content");
            }
            ArrayNode calls = message.putArray("tool_calls");
            for (int call = 0; call < spoken.names.size(); call++) {
                fill(
                        calls.addObject(),
                        index,
                        call,
                        spoken.names.get(call),
                        spoken.arguments.get(call).toString());
            }
        }
        node.put("finish_reason", reason(spoken, choice.reason));
        return node;
    }
}
