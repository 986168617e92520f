package dev.troupe.text.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ToolCallReaderTest {
    private static final Set<String> NAMES = Set.of("weather", "time");

    /** What a reader gives for pieces of a text, each kind of event put together: {@code text}, {@code name(arguments)}. */
    private static List<String> read(ToolCallReader reader, boolean cut, String... pieces) {
        List<ToolEvent> events = new ArrayList<>();
        for (String piece : pieces) {
            events.addAll(reader.append(piece));
        }
        events.addAll(reader.finish(cut));
        List<String> said = new ArrayList<>();
        boolean inText = false;
        for (ToolEvent event : events) {
            switch (event) {
                case ToolEvent.Content content -> {
                    String before = inText ? said.removeLast() : "";
                    said.add(before + content.text());
                }
                case ToolEvent.Call call -> {
                    assertThat(call.index()).isEqualTo((int)
                            said.stream().filter(one -> one.startsWith("#")).count());
                    said.add("#" + call.name() + " ");
                }
                case ToolEvent.Arguments arguments -> said.add(said.removeLast() + arguments.text());
            }
            inText = event instanceof ToolEvent.Content;
        }
        return said;
    }

    private static ToolCallReader reader(ToolFormat format) {
        return new ToolCallReader(format, NAMES, true, false);
    }

    /** The same at every place where the text may be in two, and character by character. */
    private static List<String> everyWay(ToolFormat format, String text) {
        List<String> whole = read(reader(format), false, text);
        for (int at = 0; at <= text.length(); at++) {
            assertThat(read(reader(format), false, text.substring(0, at), text.substring(at)))
                    .as("in two at %d", at)
                    .isEqualTo(whole);
        }
        assertThat(read(reader(format), false, text.split(""))).isEqualTo(whole);
        return whole;
    }

    @Test
    void hermesCallsStandBetweenTags() {
        String text = """
                It is warm.

                <tool_call>
                {"name": "weather", "arguments": {"city": "Köln \\"}\\\\", "days": [1, {"a": null}]}}
                </tool_call>
                <tool_call>{"arguments": {}, "name": "other"}</tool_call>
                """;

        assertThat(everyWay(ToolFormat.HERMES, text))
                .containsExactly(
                        "It is warm.",
                        "#weather {\"city\": \"Köln \\\"}\\\\\", \"days\": [1, {\"a\": null}]}",
                        "#other {}");
    }

    @Test
    void aHermesCallMayLackArgumentsAndItsEnd() {
        assertThat(everyWay(ToolFormat.HERMES, "<tool_call>{\"name\": \"time\"}<tool_call>{\"name\": \"time\"}"))
                .containsExactly("#time {}", "#time {}");
    }

    @Test
    void llamaCallsAreTheWholeText() {
        assertThat(everyWay(ToolFormat.LLAMA, "{\"name\": \"weather\", \"parameters\": {\"city\": \"Rome\"}}"))
                .containsExactly("#weather {\"city\": \"Rome\"}");
        assertThat(
                        everyWay(
                                ToolFormat.LLAMA,
                                "\n<|python_tag|>{\"type\": \"function\", \"name\": \"time\", \"parameters\": {}}; {\"name\": \"time\", \"parameters\": {\"a\": 1}}"))
                .containsExactly("#time {}", "#time {\"a\": 1}");
    }

    @Test
    void mistralCallsStandInAnArray() {
        String text =
                "Sure.[TOOL_CALLS] [{\"name\": \"weather\", \"arguments\": {\"a\": \"]\"}, \"id\": \"abcdef123\"}, {\"name\": \"time\", \"arguments\": {}}]\n";

        assertThat(everyWay(ToolFormat.MISTRAL, text)).containsExactly("Sure.", "#weather {\"a\": \"]\"}", "#time {}");
    }

    @Test
    void mistralCallsMayBeginInThePrompt() {
        ToolCallReader opened = new ToolCallReader(ToolFormat.MISTRAL, NAMES, true, true);

        assertThat(read(opened, false, "[{\"name\": \"time\", \"arguments\": {}}]"))
                .containsExactly("#time {}");
    }

    @Test
    void aToldModelMayForgetTheTags() {
        assertThat(everyWay(ToolFormat.TOLD, "{\"name\": \"time\", \"arguments\": {}}"))
                .containsExactly("#time {}");
        assertThat(everyWay(ToolFormat.TOLD, "So:\n<tool_call>\n{\"name\": \"time\", \"arguments\": {}}\n</tool_call>"))
                .containsExactly("So:", "#time {}");
    }

    @Test
    void whatIsNoCallIsText() {
        List<String> texts = List.of(
                " 1 < 2, <tool>, <tool_call, [TOOL_CALL], {\"name\": \"time\"}\n",
                "{\"name\": \"stranger\", \"parameters\": {}}",
                "{\"name\": \"tim\", \"parameters\": {}}",
                "{\"answer\": 42}",
                "{\"name\": 5}",
                "{}",
                "  ",
                "",
                "<tool_call>no</tool_call>",
                "<tool_call>\n{\"name\": \"time\", \"arguments\": 5}",
                "<tool_call>{\"name\": \"time",
                "[TOOL_CALLS]{\"x",
                "<|python_tag|>weather.call()");
        for (ToolFormat format : ToolFormat.values()) {
            for (String text : texts) {
                assertThat(String.join("", everyWay(format, text)))
                        .as("%s: %s", format, text)
                        .isEqualTo(text);
            }
        }
    }

    @Test
    void textMayFollowACallAndIsNoPartOfIt() {
        assertThat(everyWay(ToolFormat.HERMES, "<tool_call>{\"name\": \"time\"}</tool_call>\nThat was it. "))
                .containsExactly("#time {}", "\nThat was it.");
        assertThat(everyWay(ToolFormat.MISTRAL, "[TOOL_CALLS][{\"name\": \"time\"}] x"))
                .containsExactly("#time {}", " x");
        assertThat(everyWay(ToolFormat.LLAMA, "{\"name\": \"time\", \"parameters\": {}} x"))
                .containsExactly("#time {}", " x");
    }

    @Test
    void onlyTheFirstCallIsReadWhereThereMayBeOne() {
        ToolCallReader one = new ToolCallReader(ToolFormat.HERMES, NAMES, false, false);

        assertThat(read(one, false, "a <tool_call>{\"name\": \"time\"}</tool_call><tool_call>{\"name\": \"time\"}b"))
                .containsExactly("a", "#time {}");
        assertThat(one.calls()).isEqualTo(1);
    }

    @Test
    void aCallThatIsCutNeverShowsAsText() {
        List<String> calls = List.of(
                "<tool_call>\n{\"name\": \"time\", \"arguments\": {\"a\": \"}\"}}\n</tool_call>",
                "{\"name\": \"time\", \"parameters\": {\"a\": \"}\"}}",
                "[TOOL_CALLS] [{\"name\": \"time\", \"arguments\": {\"a\": \"}\"}}]");
        List<ToolFormat> formats = List.of(ToolFormat.HERMES, ToolFormat.LLAMA, ToolFormat.MISTRAL);
        for (int i = 0; i < calls.size(); i++) {
            String arguments = "";
            for (int length = 0; length <= calls.get(i).length(); length++) {
                List<String> said = read(
                        reader(formats.get(i)),
                        true,
                        calls.get(i).substring(0, length).split(""));

                assertThat(said).as("%s cut at %d", formats.get(i), length).hasSizeLessThan(2);
                assertThat(said).allMatch(one -> one.startsWith("#time "));
                arguments = said.isEmpty() ? "" : said.getFirst();
            }
            assertThat(arguments).isEqualTo("#time {\"a\": \"}\"}");
        }
    }

    @Test
    void argumentsComeAsTheyAreWritten() {
        ToolCallReader reader = reader(ToolFormat.HERMES);

        assertThat(reader.append("Hm. <tool_call>{\"name\": \"time\", ")).containsExactly(new ToolEvent.Content("Hm."));
        assertThat(reader.append("\"arguments\": {\"a\""))
                .containsExactly(new ToolEvent.Call(0, "time"), new ToolEvent.Arguments(0, "{\"a\""));
        assertThat(reader.append(": 1")).containsExactly(new ToolEvent.Arguments(0, ": 1"));
        assertThat(reader.append("}}</tool_call>")).containsExactly(new ToolEvent.Arguments(0, "}"));
        assertThat(reader.finish(false)).isEmpty();
    }
}
