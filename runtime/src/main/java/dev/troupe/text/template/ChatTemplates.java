package dev.troupe.text.template;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.gguf.GgufMetadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The chat template that comes with a model. In a directory it is {@code chat_template.jinja}, or else {@code chat_template}
 * in {@code tokenizer_config.json}: a text, or a list of named ones; in a GGUF file {@code tokenizer.chat_template}. Of named
 * ones {@code default} is taken, and {@code tool_use} for requests with tools.
 */
public final class ChatTemplates {
    private static final String DEFAULT = "default";
    private static final String TOOL_USE = "tool_use";
    private static final String KEY = "tokenizer.chat_template";
    private static final String CONFIG = "tokenizer_config.json";

    private ChatTemplates() {}

    /**
     * The template of a model in Hugging Face's layout, or nothing if it has none.
     *
     * @throws TokenizerFormatException if a template does not compile, or a file is no JSON
     * @throws IOException if a file is there and cannot be read
     */
    public static Optional<ChatTemplate> of(Path directory) throws IOException {
        JsonNode config = json(directory.resolve(CONFIG));
        JsonNode map = json(directory.resolve("special_tokens_map.json"));
        Map<String, String> sources = new HashMap<>();
        JsonNode template = config.path("chat_template");
        if (template.isTextual()) {
            sources.put(DEFAULT, template.textValue());
        }
        if (template.isArray()) {
            template.forEach(named -> sources.put(
                    named.path("name").asText(), named.path("template").asText()));
        }
        addFile(sources, DEFAULT, directory.resolve("chat_template.jinja"));
        addFile(
                sources,
                TOOL_USE,
                directory.resolve("additional_chat_templates").resolve(TOOL_USE + ".jinja"));
        SpecialTexts special = new SpecialTexts(special(config, map, "bos_token"), special(config, map, "eos_token"));
        return compile(directory.toString(), sources, special);
    }

    /**
     * The template of a GGUF file, or nothing if it has none.
     *
     * @throws TokenizerFormatException if a template does not compile
     * @throws WeightFormatException if a key has a value of another kind
     */
    public static Optional<ChatTemplate> of(GgufMetadata metadata)
            throws TokenizerFormatException, WeightFormatException {
        Map<String, String> sources = new HashMap<>();
        metadata.text(KEY).ifPresent(source -> sources.put(DEFAULT, source));
        metadata.text(KEY + "." + TOOL_USE).ifPresent(source -> sources.put(TOOL_USE, source));
        if (sources.isEmpty()) {
            return Optional.empty();
        }
        List<String> tokens = metadata.texts("tokenizer.ggml.tokens");
        SpecialTexts special = new SpecialTexts(token(metadata, "bos", tokens), token(metadata, "eos", tokens));
        return compile(metadata.file(), sources, special);
    }

    private static Optional<ChatTemplate> compile(String file, Map<String, String> sources, SpecialTexts special)
            throws TokenizerFormatException {
        String usual = sources.get(DEFAULT);
        String forTools = sources.get(TOOL_USE);
        if (usual == null) {
            return Optional.empty();
        }
        ChatTemplate template = compile(file, DEFAULT, usual, special);
        return Optional.of(
                forTools == null ? template : template.withTools(compile(file, TOOL_USE, forTools, special)));
    }

    private static ChatTemplate compile(String file, String name, String source, SpecialTexts special)
            throws TokenizerFormatException {
        try {
            return ChatTemplate.compile(source, special);
        } catch (TemplateException e) {
            throw new TokenizerFormatException(file, "chat template '%s': %s".formatted(name, e.getMessage()));
        }
    }

    private static JsonNode json(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            return MissingNode.getInstance();
        }
        try {
            return new ObjectMapper().readTree(file.toFile());
        } catch (JsonProcessingException e) {
            throw new TokenizerFormatException(file.toString(), "no JSON: " + e.getOriginalMessage());
        }
    }

    private static void addFile(Map<String, String> sources, String name, Path file) throws IOException {
        if (Files.isRegularFile(file)) {
            sources.put(name, Files.readString(file));
        }
    }

    /** A token is a text, or an object that has it as {@code content}. */
    private static Optional<String> special(JsonNode config, JsonNode map, String name) {
        JsonNode token = config.has(name) ? config.path(name) : map.path(name);
        JsonNode text = token.isObject() ? token.path("content") : token;
        return text.isTextual() ? Optional.of(text.textValue()) : Optional.empty();
    }

    private static Optional<String> token(GgufMetadata metadata, String which, List<String> tokens)
            throws WeightFormatException {
        OptionalLong id = metadata.integer("tokenizer.ggml.%s_token_id".formatted(which));
        boolean isToken = id.isPresent() && id.getAsLong() >= 0 && id.getAsLong() < tokens.size();
        return isToken ? Optional.of(tokens.get((int) id.getAsLong())) : Optional.empty();
    }
}
