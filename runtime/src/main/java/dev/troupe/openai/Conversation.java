package dev.troupe.openai;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/** A conversation with a model: what was said so far, and the settings of the next answer. Belongs to one thread at a time. */
public final class Conversation {
    private final ApiClient client;
    private final String key;
    private final String model;
    private final LongSupplier nanoTime;
    private final List<Message> messages = new ArrayList<>();
    private String system = "";
    private OptionalDouble temperature = OptionalDouble.empty();
    private OptionalInt maxTokens = OptionalInt.empty();

    /** What one of the two has said. */
    public record Message(String role, String content) {}

    /** @param nanoTime as {@link System#nanoTime} */
    public Conversation(ApiClient client, String key, String model, LongSupplier nanoTime) {
        this.client = client;
        this.key = key;
        this.model = model;
        this.nanoTime = nanoTime;
    }

    public String model() {
        return model;
    }

    /** What was said so far, without what the system says. */
    public List<Message> messages() {
        return List.copyOf(messages);
    }

    /** Says how the model ought to behave; empty says nothing. */
    public void setSystem(String text) {
        system = text;
    }

    /** @throws IllegalArgumentException if it is not 0 to 2 */
    public void setTemperature(double value) {
        if (!(value >= 0 && value <= 2)) {
            throw new IllegalArgumentException("temperature %s, expected 0 to 2".formatted(value));
        }
        temperature = OptionalDouble.of(value);
    }

    /** @throws IllegalArgumentException if it is not at least 1 */
    public void setMaxTokens(int value) {
        if (value < 1) {
            throw new IllegalArgumentException("max-tokens %d, expected at least 1".formatted(value));
        }
        maxTokens = OptionalInt.of(value);
    }

    /** Forgets what was said. */
    public void clear() {
        messages.clear();
    }

    /**
     * Says something and waits for the answer, which an interrupt of the thread stops; what has come of it by then stays. After a
     * failure nothing was said.
     *
     * @param pieces of the answer, as they come
     * @throws ApiException if there is no whole answer
     */
    public Turn say(String text, Consumer<String> pieces) throws ApiException {
        List<Message> asked = new ArrayList<>(messages);
        asked.add(new Message("user", text));
        Turn.Watch watch = new Turn.Watch(nanoTime);
        StringBuilder said = new StringBuilder();
        Turn turn;
        try {
            Answer answer = client.ask(ApiClient.Route.CHAT, key, body(asked), piece -> {
                watch.token();
                said.append(piece);
                pieces.accept(piece);
            });
            turn = watch.end(answer, false);
        } catch (InterruptedException e) {
            turn = watch.end(new Answer(said.toString(), null, null), true);
        }
        if (!turn.isStopped() || !said.isEmpty()) {
            messages.add(asked.getLast());
            messages.add(new Message("assistant", said.toString()));
        }
        return turn;
    }

    private ObjectNode body(List<Message> asked) {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.put("model", model);
        body.set("messages", json(asked));
        temperature.ifPresent(value -> body.put("temperature", value));
        maxTokens.ifPresent(value -> body.put("max_tokens", value));
        body.put("stream", true);
        body.putObject("stream_options").put("include_usage", true);
        return body;
    }

    private ArrayNode json(List<Message> of) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        if (!system.isEmpty()) {
            array.addObject().put("role", "system").put("content", system);
        }
        of.forEach(message -> array.addObject().put("role", message.role()).put("content", message.content()));
        return array;
    }

    /**
     * Writes what was said into a new file: as the API's JSON if its name ends with {@code .json}, else as Markdown.
     *
     * @throws IOException if it is there already, or cannot be written
     */
    public void save(Path file) throws IOException {
        String text;
        if (file.toString().endsWith(".json")) {
            ObjectNode root = JsonNodeFactory.instance.objectNode();
            root.put("model", model);
            root.set("messages", json(messages));
            text = new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(root) + "\n";
        } else {
            StringBuilder markdown = new StringBuilder("# %s%n".formatted(model));
            json(messages)
                    .forEach(message -> markdown.append("%n## %s%n%n%s%n"
                            .formatted(
                                    message.path("role").textValue(),
                                    message.path("content").textValue())));
            text = markdown.toString();
        }
        Files.writeString(file, text, StandardCharsets.UTF_8, StandardOpenOption.CREATE_NEW);
    }
}
