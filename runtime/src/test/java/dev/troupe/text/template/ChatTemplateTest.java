package dev.troupe.text.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.troupe.text.template.limit.TemplateException;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ChatTemplateTest {
    private static final Clock CLOCK = Clock.fixed(Instant.parse("2024-03-05T07:08:09Z"), ZoneOffset.UTC);
    private static final SpecialTexts SPECIAL = new SpecialTexts(Optional.of("<s>"), Optional.of("</s>"));

    @Test
    void aChatBecomesTheTextOfItsTemplate() throws JsonProcessingException {
        ChatTemplate template = ChatTemplate.compile("""
                {{ bos_token }}
                {%- for message in messages %}
                    {{- '<' + message.role + '>' + message['content'] + eos_token }}
                {%- endfor %}
                {%- if add_generation_prompt %}{{ '<assistant>' }}{% endif %}
                """, SPECIAL);

        String text = template.render(ChatInput.of(json("[{'role': 'user', 'content': 'Hi'}]")), CLOCK);

        assertThat(text).isEqualTo("<s><user>Hi</s><assistant>");
    }

    @Test
    void whatAMessageSaysIsNeverEvaluated() throws JsonProcessingException {
        ChatTemplate template = ChatTemplate.compile("{% for m in messages %}{{ m.content }}{% endfor %}", SPECIAL);
        String hostile = "{{ bos_token }}{% raw %}{# x #}{% for i in range(9) %}";

        String text = template.render(ChatInput.of(json("[{'content': '" + hostile + "'}]")), CLOCK);

        assertThat(text).isEqualTo(hostile);
    }

    @Test
    void variablesOfTheRequestComeBeforeAllOthers() throws JsonProcessingException {
        ChatTemplate template = ChatTemplate.compile(
                "{{ bos_token }}{{ tools is none }}{{ documents is none }}{{ enable_thinking is defined }}", SPECIAL);
        JsonNode messages = json("[]");
        Map<String, JsonNode> extra = Map.of("bos_token", new TextNode("B"), "enable_thinking", json("true"));

        assertThat(template.render(ChatInput.of(messages), CLOCK)).isEqualTo("<s>TrueTrueFalse");
        assertThat(template.render(new ChatInput(messages, Optional.of(json("[1]")), true, extra), CLOCK))
                .isEqualTo("BFalseTrueTrue");
    }

    @Test
    void specialTextsThatAModelDoesNotHaveAreNotDefined() throws JsonProcessingException {
        ChatTemplate template = ChatTemplate.compile("{{ bos_token is defined }}[{{ eos_token }}]", SpecialTexts.NONE);

        assertThat(template.render(ChatInput.of(json("[]")), CLOCK)).isEqualTo("False[]");
    }

    @Test
    void anotherTemplateTakesRequestsWithTools() throws JsonProcessingException {
        ChatTemplate template = ChatTemplate.compile("usual", SPECIAL)
                .withTools(ChatTemplate.compile("{{ tools|length }} tools", SPECIAL));
        JsonNode messages = json("[]");

        assertThat(template.render(ChatInput.of(messages), CLOCK)).isEqualTo("usual");
        assertThat(template.render(new ChatInput(messages, Optional.of(json("[1, 2]")), true, Map.of()), CLOCK))
                .isEqualTo("2 tools");
    }

    @Test
    void theTimeComesFromTheClock() throws JsonProcessingException {
        ChatTemplate template = ChatTemplate.compile("{{ strftime_now('%d %b %Y, %H:%M') }}", SPECIAL);

        assertThat(template.render(ChatInput.of(json("[]")), CLOCK)).isEqualTo("05 Mar 2024, 07:08");
    }

    @Test
    void aTemplateThatRefusesSaysWhy() {
        ChatTemplate template = ChatTemplate.compile("\n\n{{ raise_exception('System role not supported') }}", SPECIAL);

        assertThatExceptionOfType(TemplateException.Refused.class)
                .isThrownBy(() -> template.render(Map.of(), CLOCK))
                .withMessage("line 3: System role not supported")
                .satisfies(e -> assertThat(e.reason()).isEqualTo("System role not supported"));
    }

    @Test
    void errorsTellTheLineAndWhatWasExpected() {
        assertThatExceptionOfType(TemplateException.Syntax.class)
                .isThrownBy(() -> ChatTemplate.compile("a\n{% if x %}\nb", SPECIAL))
                .withMessage(
                        "line 3: unexpected the end of the template, expected one of the blocks [elif, else, endif]");
        assertThatExceptionOfType(TemplateException.Syntax.class)
                .isThrownBy(() -> ChatTemplate.compile("a\n{{ (1 + }}", SPECIAL))
                .withMessage("line 2: unexpected '}', expected ')'");
        assertThatExceptionOfType(TemplateException.Syntax.class)
                .isThrownBy(() -> ChatTemplate.compile("{% include 'x' %}", SPECIAL))
                .withMessage("line 1: block 'include' is not supported in chat templates");
        assertThatExceptionOfType(TemplateException.Failed.class)
                .isThrownBy(() -> ChatTemplate.compile("a\n{% if true %}\n{{ 'a' + 1 }}{% endif %}", SPECIAL)
                        .render(Map.of(), CLOCK))
                .withMessage("line 3: unsupported operand types for +: 'str' and 'int'");
        assertThatExceptionOfType(TemplateException.Failed.class)
                .isThrownBy(
                        () -> ChatTemplate.compile("{{ 1|nothing }}", SPECIAL).render(Map.of(), CLOCK))
                .withMessageStartingWith("line 1: there is no filter 'nothing'; these work: [abs, attr, batch, ");
    }

    @Test
    void onlyDataGetsIn() {
        ChatTemplate template = ChatTemplate.compile("{{ x }}", SPECIAL);

        assertThatIllegalArgumentException()
                .isThrownBy(() -> template.render(Map.of("x", Thread.currentThread()), CLOCK))
                .withMessageContaining("a template cannot be given a java.lang.Thread");
    }

    private static JsonNode json(String text) throws JsonProcessingException {
        return new ObjectMapper().readTree(text.replace('\'', '"'));
    }
}
