package dev.troupe.text.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.troupe.weights.gguf.GgufWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * What stands beside a {@code tokenizer.json}: {@code tokenizer_config.json} with the token that ends a text and chat
 * templates, or a template in {@code chat_template.jinja}, which then is the one.
 *
 * @param eosToken as it is written, or empty
 * @param chatTemplates by name; {@code default} is the one to take
 */
record TokenizerSettings(String eosToken, Map<String, String> chatTemplates) {
    private static final String DEFAULT = "default";
    private static final String KEY = "tokenizer.chat_template";

    TokenizerSettings {
        chatTemplates = Map.copyOf(chatTemplates);
    }

    /** @throws IOException if a file is there and cannot be read */
    static TokenizerSettings read(Path directory) throws IOException {
        Path file = directory.resolve("tokenizer_config.json");
        JsonNode json =
                Files.isRegularFile(file) ? new ObjectMapper().readTree(file.toFile()) : MissingNode.getInstance();
        JsonNode eos = json.path("eos_token");
        Map<String, String> templates = new LinkedHashMap<>();
        JsonNode template = json.path("chat_template");
        if (template.isTextual()) {
            templates.put(DEFAULT, template.textValue());
        }
        if (template.isArray()) {
            template.forEach(named -> templates.put(
                    named.path("name").asText(), named.path("template").asText()));
        }
        Path alone = directory.resolve("chat_template.jinja");
        if (Files.isRegularFile(alone)) {
            templates.put(DEFAULT, Files.readString(alone));
        }
        return new TokenizerSettings(
                eos.isTextual() ? eos.textValue() : eos.path("content").asText(), templates);
    }

    /** Adds the chat templates; others than the default one under names of their own. */
    void addTo(GgufWriter writer) {
        String usual = chatTemplates.get(DEFAULT);
        if (usual != null) {
            writer.text(KEY, usual);
        }
        Map<String, String> others = new TreeMap<>(chatTemplates);
        others.keySet().removeIf(name -> name.equals(DEFAULT) || !name.matches("[A-Za-z0-9_-]+"));
        if (!others.isEmpty()) {
            writer.texts(KEY + "s", others.keySet());
            others.forEach((name, template) -> writer.text(KEY + "." + name, template));
        }
    }
}
