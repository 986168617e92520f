package dev.troupe.text.tools;

import java.util.List;
import java.util.regex.Pattern;

/** How a model writes calls; the text of its chat template shows it. */
public enum ToolFormat {
    /** {@code <tool_call>{"name": ..., "arguments": {...}}</tool_call>}, as Hermes, Qwen and Granite write it. */
    HERMES("<tool_call>", "arguments"),

    /** {@code {"name": ..., "parameters": {...}}}, where {@code <|python_tag|>} may stand before: Llama 3. */
    LLAMA("<|python_tag|>", "parameters"),

    /** {@code [TOOL_CALLS][{"name": ..., "arguments": {...}}]}, as Mistral's models before 2025 write it. */
    MISTRAL("[TOOL_CALLS]", "arguments"),

    /** As {@link #HERMES}, for a model whose template knows no tools or writes calls in some other way: a message tells it. */
    TOLD("<tool_call>", "arguments");

    /** What ends a call of {@link #HERMES} and {@link #TOLD}. */
    static final String END = "</tool_call>";

    private static final Pattern ARGUMENTS = Pattern.compile("\"arguments\\\\?\": ");
    private static final List<String> OTHERS = List.of("<function=", "<arg_key>", "[ARGS]");
    private static final Pattern LLAMA_CALL = Pattern.compile("\\{\"name\": function name, \"parameters\": ");

    private final String marker;
    private final String argumentsKey;

    ToolFormat(String marker, String argumentsKey) {
        this.marker = marker;
        this.argumentsKey = argumentsKey;
    }

    /** The format that a chat template speaks of. */
    public static ToolFormat of(String template) {
        if (!template.contains("tools") || OTHERS.stream().anyMatch(template::contains)) {
            return TOLD;
        }
        if (template.contains(HERMES.marker) && ARGUMENTS.matcher(template).find()) {
            return HERMES;
        }
        if (template.contains(MISTRAL.marker)) {
            return MISTRAL;
        }
        return LLAMA_CALL.matcher(template).find() ? LLAMA : TOLD;
    }

    /** What begins calls, often a token of its own that stands for no text. */
    public String marker() {
        return marker;
    }

    /**
     * What a prompt ends with where the answer must be calls: a marker that no guide can ask for, because its token stands
     * for no text.
     */
    public String opening() {
        return this == MISTRAL ? marker : "";
    }

    /** The key of the arguments. */
    String argumentsKey() {
        return argumentsKey;
    }

    /** Whether a call may begin a text without a marker. */
    boolean isBare() {
        return this == LLAMA || this == TOLD;
    }

    /** Whether calls stand in an array. */
    boolean isArray() {
        return this == MISTRAL;
    }

    /** Whether {@link #END} ends a call. */
    boolean hasEnd() {
        return this == HERMES || this == TOLD;
    }

    /** Whether one message may have several calls. */
    boolean hasSeveral() {
        return this != LLAMA;
    }
}
