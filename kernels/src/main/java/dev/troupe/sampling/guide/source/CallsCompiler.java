package dev.troupe.sampling.guide.source;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.sampling.guide.automaton.Expr;
import dev.troupe.sampling.guide.automaton.GuideException;
import java.util.ArrayList;
import java.util.List;

/** Calls as rules that write them: the first rule is the whole text, the second any one call, and schemas follow. */
final class CallsCompiler {
    static final int MOST_CALLS = 128;

    private static final int ANY_CALL = 1;

    private CallsCompiler() {}

    /** @throws GuideException naming the call whose schema cannot be kept, from 0 */
    static List<Expr> rules(JsonNode source) {
        JsonNode calls = source.path("calls");
        if (!calls.isArray() || calls.isEmpty() || calls.size() > MOST_CALLS) {
            throw new GuideException("calls: %s, expected an array of 1 to %d"
                    .formatted(calls.isArray() ? calls.size() + " calls" : SchemaKeywords.shown(calls), MOST_CALLS));
        }
        int most = source.path("most").asInt();
        if (most < 1 || most > MOST_CALLS) {
            throw new GuideException("calls: most=%s, expected 1 to %d"
                    .formatted(SchemaKeywords.shown(source.path("most")), MOST_CALLS));
        }
        List<Expr> rules = new ArrayList<>(List.of(Expr.EMPTY, Expr.EMPTY));
        List<Expr> options = new ArrayList<>();
        for (int i = 0; i < calls.size(); i++) {
            JsonNode call = calls.get(i);
            int schema = rules.size();
            rules.addAll(schema(call, i, schema));
            options.add(Expr.sequence(text(call, "before"), new Expr.Call(schema), text(call, "after")));
        }
        rules.set(ANY_CALL, new Expr.Choice(options));
        Expr one = new Expr.Call(ANY_CALL);
        Expr more = new Expr.Repeat(Expr.sequence(text(source, "between"), one), 0, most - 1);
        rules.set(0, Expr.sequence(text(source, "first"), one, more, text(source, "last")));
        return rules;
    }

    private static List<Expr> schema(JsonNode call, int index, int first) {
        try {
            return SchemaCompiler.rules(call.path("schema"), first);
        } catch (GuideException e) {
            throw new GuideException("call %d: %s".formatted(index, e.getMessage()), e);
        }
    }

    private static Expr text(JsonNode node, String name) {
        if (!node.path(name).isTextual()) {
            throw new GuideException(
                    "calls: %s=%s, expected a string".formatted(name, SchemaKeywords.shown(node.path(name))));
        }
        return Expr.literal(node.path(name).textValue());
    }
}
