package dev.troupe.text.template;

import com.fasterxml.jackson.databind.node.NullNode;
import dev.troupe.text.template.library.Functions;
import dev.troupe.text.template.library.Run;
import dev.troupe.text.template.limit.Budget;
import dev.troupe.text.template.limit.Limits;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.render.Renderer;
import dev.troupe.text.template.syntax.Statement;
import dev.troupe.text.template.syntax.TemplateParser;
import java.time.Clock;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A model's chat template: the Jinja program that turns the messages of a chat into the text that the model was trained on.
 * It is set up as Hugging Face's transformers does it: values cannot be changed, blocks take their line with them
 * ({@code trim_blocks}, {@code lstrip_blocks}), {@code break}, {@code continue} and {@code generation} are known. Messages are
 * data: nothing in them is evaluated. Immutable; safe for use by many threads.
 */
public final class ChatTemplate {
    private final String source;
    private final List<Statement> statements;
    private final SpecialTexts special;
    private final Limits limits;
    private final @Nullable ChatTemplate forTools;

    private ChatTemplate(
            String source,
            List<Statement> statements,
            SpecialTexts special,
            Limits limits,
            @Nullable ChatTemplate forTools) {
        this.source = source;
        this.statements = statements;
        this.special = special;
        this.limits = limits;
        this.forTools = forTools;
    }

    /**
     * Compiles a template.
     *
     * @throws TemplateException.Syntax if it is none; the message begins with the line
     * @throws TemplateException.LimitReached if it is too long or nested too deep
     */
    public static ChatTemplate compile(String source, SpecialTexts special) {
        return compile(source, special, Limits.DEFAULT);
    }

    /** The same with other limits. */
    public static ChatTemplate compile(String source, SpecialTexts special, Limits limits) {
        return new ChatTemplate(source, TemplateParser.parse(source, limits), special, limits, null);
    }

    /** The same, except that another template renders what has tools. */
    public ChatTemplate withTools(ChatTemplate other) {
        return new ChatTemplate(source, statements, special, limits, other);
    }

    /** The program that renders what has tools, as it is written. */
    public String sourceForTools() {
        return forTools == null ? source : forTools.source;
    }

    /**
     * The text that a model reads for a chat.
     *
     * @param clock what {@code strftime_now} tells
     * @throws TemplateException.Refused if the template does not take such messages; its reason is for the client
     * @throws TemplateException.Failed if the template does what its language does not allow
     * @throws TemplateException.LimitReached if it needs more than its limits
     * @throws IllegalArgumentException if the input holds something else than JSON has
     */
    public String render(ChatInput input, Clock clock) {
        if (forTools != null && input.tools().isPresent()) {
            return forTools.render(input, clock);
        }
        Map<String, Object> variables = new HashMap<>();
        variables.put("messages", input.messages());
        variables.put("tools", input.tools().orElse(NullNode.getInstance()));
        variables.put("documents", NullNode.getInstance());
        variables.put("add_generation_prompt", input.addGenerationPrompt());
        special.bos().ifPresent(text -> variables.put("bos_token", text));
        special.eos().ifPresent(text -> variables.put("eos_token", text));
        variables.putAll(input.extra());
        return render(variables, clock);
    }

    /** The text for these variables and no others: maps, lists, texts, numbers, booleans, or Jackson's nodes. */
    public String render(Map<String, ?> variables, Clock clock) {
        Budget budget = new Budget(limits);
        Run run = new Run(budget, LocalDateTime.now(clock));
        Map<String, Object> values = new HashMap<>(Functions.of(run));
        try {
            variables.forEach((name, value) -> values.put(name, PlainValues.of(value, budget)));
            return Renderer.render(statements, values, run);
        } catch (StackOverflowError e) {
            // The limit fits a stack of half a MiB; a caller may have left less. All that was touched is thrown away.
            throw new TemplateException.LimitReached("depth", limits.depth());
        }
    }
}
