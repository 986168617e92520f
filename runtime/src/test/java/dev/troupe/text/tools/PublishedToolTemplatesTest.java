package dev.troupe.text.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.text.TokenizerFiles;
import dev.troupe.text.template.ChatInput;
import dev.troupe.text.template.ChatTemplate;
import dev.troupe.text.template.SpecialTexts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Real chat templates: they write calls as the formats say. */
class PublishedToolTemplatesTest {
    private static final Path FOLDER = TokenizerFiles.shared("chat-templates").resolve("templates");
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String END = "<END>";
    private static final Tool WEATHER =
            new Tool("get_weather", "", JSON.createObjectNode().put("type", "object"));

    private static Map<ToolFormat, List<Path>> byFormat() throws IOException {
        Map<ToolFormat, List<Path>> found = new EnumMap<>(ToolFormat.class);
        try (Stream<Path> all = Files.list(FOLDER)) {
            for (Path file : all.sorted().toList()) {
                found.computeIfAbsent(ToolFormat.of(Files.readString(file)), _ -> new ArrayList<>())
                        .add(file);
            }
        }
        return found;
    }

    private static List<String> names(List<Path> files) {
        return files.stream().map(file -> file.getFileName().toString()).toList();
    }

    @Test
    void theFormatIsFoundInTheText() throws IOException {
        Map<ToolFormat, List<Path>> found = byFormat();

        assertThat(names(found.getOrDefault(ToolFormat.HERMES, List.of())))
                .contains(
                        "Qwen-Qwen2.5-7B-Instruct.jinja",
                        "Qwen-Qwen3-0.6B.jinja",
                        "Qwen-QwQ-32B.jinja",
                        "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use.jinja",
                        "HuggingFaceTB-SmolLM3-3B-2.jinja",
                        "ibm-granite-granite-4.0.jinja");
        assertThat(names(found.getOrDefault(ToolFormat.LLAMA, List.of())))
                .containsExactly(
                        "meta-llama-Llama-3.1-8B-Instruct.jinja",
                        "meta-llama-Llama-3.2-11B-Vision-Instruct.jinja",
                        "meta-llama-Llama-3.2-3B-Instruct.jinja");
        assertThat(names(found.getOrDefault(ToolFormat.MISTRAL, List.of())))
                .contains("mistralai-Mistral-7B-Instruct-v0.3.jinja", "mistralai-Mistral-Nemo-Instruct-2407.jinja");
        assertThat(names(found.getOrDefault(ToolFormat.TOLD, List.of())))
                .contains(
                        "Qwen3-Coder.jinja",
                        "GLM-4.6.jinja",
                        "Mistral-Small-3.2-24B-Instruct-2506.jinja",
                        "meetkai-functionary-medium-v3.1.jinja",
                        "google-gemma-2-2b-it.jinja");
    }

    private static ObjectNode message(String role, String content) {
        return JSON.createObjectNode().put("role", role).put("content", content);
    }

    private static void addCall(ObjectNode message, String id, String city) {
        ObjectNode call = message.withArray("tool_calls").addObject();
        call.put("id", id).put("type", "function");
        ObjectNode function = call.putObject("function");
        function.put("name", "get_weather");
        function.putObject("arguments").put("city", city);
    }

    private static String render(Path file, ToolFormat format, ArrayNode messages, boolean answer) throws IOException {
        SpecialTexts special = new SpecialTexts(Optional.of(""), Optional.of(END));
        ChatInput input = new ChatInput(
                ToolMessages.of(format, messages), Optional.of(ToolMessages.json(List.of(WEATHER))), answer, Map.of());
        return ChatTemplate.compile(Files.readString(file), special).render(input, Clock.systemUTC());
    }

    @Test
    void aCallThatATemplateWritesIsReadAsTheSameCall() throws IOException {
        int read = 0;
        for (Map.Entry<ToolFormat, List<Path>> entry : byFormat().entrySet()) {
            if (entry.getKey() == ToolFormat.TOLD) {
                continue;
            }
            for (Path file : entry.getValue()) {
                ArrayNode messages = JSON.createArrayNode().add(message("user", "How warm is it?"));
                String prompt = render(file, entry.getKey(), messages, true);
                ObjectNode calling = message("assistant", "");
                addCall(calling, "call_1", "Zürich");
                messages.add(calling);
                String whole = render(file, entry.getKey(), messages, false);
                if (!whole.startsWith(prompt.stripTrailing()) || !whole.contains("Zürich")) {
                    continue; // it shows its model's calls in another place, or not at all
                }
                String answer = whole.substring(prompt.stripTrailing().length())
                        .replaceAll("(?s)(<END>|<\\|(im_end|eot_id|end_of_text)).*", "");

                ToolCallReader reader = new ToolCallReader(entry.getKey(), Set.of("get_weather"), true, false);
                List<ToolEvent> events = new ArrayList<>(reader.append(answer));
                events.addAll(reader.finish(false));
                events.remove(new ToolEvent.Content("\n<think>\n\n</think>")); // a model that thinks first

                assertThat(events).as("%s: %s", file.getFileName(), answer).hasSize(2);
                assertThat(events.getFirst()).isEqualTo(new ToolEvent.Call(0, "get_weather"));
                assertThat(JSON.readTree(((ToolEvent.Arguments) events.getLast()).text()))
                        .isEqualTo(JSON.createObjectNode().put("city", "Zürich"));
                read++;
            }
        }
        assertThat(read).isGreaterThan(10);
    }

    @Test
    void twoCallsAndTheirResultsSuitEveryTemplateWithAFormat() throws IOException {
        for (Map.Entry<ToolFormat, List<Path>> entry : byFormat().entrySet()) {
            if (entry.getKey() == ToolFormat.TOLD) {
                continue;
            }
            ArrayNode messages = JSON.createArrayNode().add(message("user", "How warm is it?"));
            ObjectNode calling = message("assistant", "");
            addCall(calling, "call_1", "Bern");
            addCall(calling, "call_2", "Rome");
            messages.add(calling);
            messages.add(message("tool", "11 degrees").put("tool_call_id", "call_1"));
            messages.add(message("tool", "22 degrees").put("tool_call_id", "call_2"));

            for (Path file : entry.getValue()) {
                assertThat(render(file, entry.getKey(), messages, true))
                        .as(file.getFileName().toString())
                        .contains("11 degrees", "22 degrees", "get_weather");
            }
        }
    }

    @Test
    void messagesWithCallsSuitTemplatesThatKnowNone() throws IOException {
        ArrayNode messages = JSON.createArrayNode().add(message("user", "How warm is it?"));
        ObjectNode calling = message("assistant", "");
        addCall(calling, "call_1", "Bern");
        messages.add(calling);
        messages.add(message("tool", "11 degrees").put("tool_call_id", "call_1"));
        ArrayNode told = ToolMessages.told(ToolMessages.of(ToolFormat.TOLD, messages), List.of(WEATHER), true);
        for (String name : List.of(
                "google-gemma-2-2b-it.jinja",
                "TheBloke-Mistral-7B-Instruct-v0.1-GPTQ.jinja",
                "microsoft-Phi-3.5-mini-instruct.jinja")) {
            SpecialTexts special = new SpecialTexts(Optional.of(""), Optional.of(END));
            ChatTemplate template = ChatTemplate.compile(Files.readString(FOLDER.resolve(name)), special);

            String text = template.render(ChatInput.of(told), Clock.systemUTC());

            assertThat(text)
                    .as(name)
                    .contains("get_weather", "{\"city\":\"Bern\"}", "<tool_response>\n11 degrees\n</tool_response>");
        }
    }
}
