package dev.troupe.sampling.guide.source;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.sampling.guide.automaton.Expr;
import dev.troupe.sampling.guide.automaton.GuideException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A JSON schema as rules that write documents which satisfy it: not all such documents, but only such. Properties come in
 * the schema's order; an object whose schema lists properties and does not mention {@code additionalProperties} has no
 * further ones; {@code oneOf} is read as {@code anyOf}; what is not supported is refused by its name.
 */
final class SchemaCompiler {
    static final int LONGEST_STRING = 4_096;
    static final int MOST_ITEMS = 1_000;
    static final int LONGEST_NAME = 256;

    private static final Map<String, String> FORMATS = Map.of(
            "date", "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])",
            "time", "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])",
            "uuid", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");

    private final JsonNode root;
    private final int first;
    private final List<Expr> rules = new ArrayList<>();
    private final Map<String, Integer> ruleOfReference = new HashMap<>();
    private final Deque<Reference> open = new ArrayDeque<>();
    private @Nullable Integer anyValue;
    private final IdentityHashMap<Expr, Integer> ruleOfShared = new IdentityHashMap<>();

    /** A place that some {@code $ref} leads to, and its rule. */
    private record Reference(String pointer, int rule) {}

    /** @param first what the first rule is called by */
    private SchemaCompiler(JsonNode root, int first) {
        this.root = root;
        this.first = first;
    }

    /**
     * The rules of a schema; the first is the document.
     *
     * @throws GuideException if the schema is malformed or uses what is not supported
     */
    static List<Expr> rules(JsonNode schema) {
        return rules(schema, 0);
    }

    /** The same as a part of a longer list, in which they begin at {@code first}. */
    static List<Expr> rules(JsonNode schema, int first) {
        SchemaCompiler compiler = new SchemaCompiler(schema, first);
        compiler.rule("");
        for (Reference next = compiler.open.poll(); next != null; next = compiler.open.poll()) {
            compiler.rules.set(next.rule(), compiler.value(schema.at(next.pointer()), "#" + next.pointer()));
        }
        return compiler.rules;
    }

    /** The rules of any JSON object. */
    static List<Expr> anyObject(JsonNode emptySchema) {
        SchemaCompiler compiler = new SchemaCompiler(emptySchema, 0);
        compiler.newRule();
        compiler.rules.set(0, compiler.anyObject());
        return compiler.rules;
    }

    private Expr call(int rule) {
        return new Expr.Call(first + rule);
    }

    private int newRule() {
        rules.add(new Expr.Choice(List.of()));
        return rules.size() - 1;
    }

    private Expr value(JsonNode schema, String path) {
        if (schema.isBoolean() && schema.booleanValue()) {
            return any();
        }
        if (!schema.isObject()) {
            throw new GuideException(
                    "JSON schema, %s: %s, expected an object or true".formatted(path, SchemaKeywords.shown(schema)));
        }
        SchemaKeywords keywords = new SchemaKeywords(schema, path);
        JsonNode reference = keywords.get("$ref");
        if (reference != null) {
            return reference(reference, keywords);
        }
        for (String keyword : List.of("anyOf", "oneOf", "allOf")) {
            if (schema.has(keyword)) {
                return alternatives(keyword, keywords);
            }
        }
        if (schema.has("enum")) {
            return literals(keywords.array("enum"), keywords);
        }
        JsonNode constant = keywords.get("const");
        if (constant != null) {
            return literals(List.of(constant), keywords);
        }
        if (keywords.allowedTypes().isEmpty()) {
            return any();
        }
        List<Expr> options = new ArrayList<>();
        for (String type : keywords.allowedTypes()) {
            options.add(ofType(type, keywords));
        }
        return new Expr.Choice(options);
    }

    private Expr ofType(String type, SchemaKeywords keywords) {
        return switch (type) {
            case "object" -> object(keywords);
            case "array" -> array(keywords);
            case "string" -> string(keywords);
            case "number" -> shared(JsonText.NUMBER);
            case "integer" -> shared(JsonText.INTEGER);
            case "boolean" -> Expr.choice(Expr.literal("true"), Expr.literal("false"));
            default -> Expr.literal("null");
        };
    }

    private Expr reference(JsonNode reference, SchemaKeywords keywords) {
        String text = reference.asText();
        if (!reference.isTextual() || !(text.equals("#") || text.startsWith("#/"))) {
            throw keywords.error("$ref=%s, expected a place in this document, such as #/$defs/name"
                    .formatted(SchemaKeywords.shown(reference)));
        }
        String pointer = text.substring(1);
        if (root.at(pointer).isMissingNode()) {
            throw keywords.error("$ref=%s leads nowhere".formatted(SchemaKeywords.shown(reference)));
        }
        return call(rule(pointer));
    }

    /** The rule of a place in the document, which is compiled later: places may lead to each other in long chains. */
    private int rule(String pointer) {
        return ruleOfReference.computeIfAbsent(pointer, place -> {
            int rule = newRule();
            open.add(new Reference(place, rule));
            return rule;
        });
    }

    private Expr alternatives(String keyword, SchemaKeywords keywords) {
        JsonNode schemas = keywords.array(keyword);
        if (keyword.equals("allOf") && schemas.size() != 1) {
            throw keywords.error("allOf with %d schemas is not supported, only with one".formatted(schemas.size()));
        }
        List<Expr> options = new ArrayList<>();
        for (int i = 0; i < schemas.size(); i++) {
            options.add(value(schemas.get(i), keywords.path(keyword + "/" + i)));
        }
        return new Expr.Choice(options);
    }

    private static Expr literals(Iterable<JsonNode> values, SchemaKeywords keywords) {
        List<Expr> options = new ArrayList<>();
        for (JsonNode value : values) {
            if (keywords.allows(value)) {
                options.add(Expr.literal(value.toString()));
            }
        }
        if (options.isEmpty()) {
            throw keywords.error("no value has the type %s".formatted(keywords.allowedTypes()));
        }
        return new Expr.Choice(options);
    }

    private Expr object(SchemaKeywords keywords) {
        Map<String, JsonNode> properties = new ObjectKeywords(keywords).properties();
        List<String> required = new ObjectKeywords(keywords).required();
        JsonNode additional = keywords.get("additionalProperties");
        boolean closed = additional == null
                ? keywords.get("properties") != null
                : additional.isBoolean() && !additional.booleanValue();
        List<Expr.Member> members = new ArrayList<>();
        properties.forEach((name, schema) -> members.add(new Expr.Member(
                member(JsonText.quoted(name), value(schema, keywords.path("properties/" + name))),
                required.contains(name))));
        List<String> others =
                required.stream().filter(name -> !properties.containsKey(name)).toList();
        if (closed && !others.isEmpty()) {
            throw keywords.error("required names %s, which properties does not have".formatted(others));
        }
        Expr more = null;
        if (!closed) {
            Expr value = additional == null ? any() : value(additional, keywords.path("additionalProperties"));
            others.forEach(name -> members.add(new Expr.Member(member(JsonText.quoted(name), value), true)));
            List<String> names = new ArrayList<>(properties.keySet());
            names.addAll(others);
            more = member(JsonText.stringExcept(names), value);
        }
        return braces(new Expr.Members(members, more, JsonText.COMMA));
    }

    private static Expr member(Expr key, Expr value) {
        return Expr.sequence(key, JsonText.COLON, value);
    }

    private static Expr braces(Expr members) {
        return Expr.sequence(Expr.literal("{"), members, Expr.literal("}"));
    }

    private Expr array(SchemaKeywords keywords) {
        int least = keywords.bound("minItems", 0, MOST_ITEMS);
        int most = keywords.bound("maxItems", Expr.Repeat.UNBOUNDED, MOST_ITEMS);
        requireOrder("minItems", least, "maxItems", most, keywords);
        JsonNode items = keywords.get("items");
        Expr item;
        if (items == null) {
            item = any();
        } else if (most == 0) {
            return Expr.literal("[]");
        } else {
            int rule = newRule();
            rules.set(rule, value(items, keywords.path("items")));
            item = call(rule);
        }
        return brackets(item, least, most);
    }

    private static Expr brackets(Expr item, int least, int most) {
        if (most == 0) {
            return Expr.literal("[]");
        }
        Expr more = new Expr.Repeat(
                Expr.sequence(JsonText.COMMA, item),
                Math.max(0, least - 1),
                most == Expr.Repeat.UNBOUNDED ? most : most - 1);
        Expr list = Expr.sequence(item, more);
        return Expr.sequence(Expr.literal("["), least == 0 ? Expr.optional(list) : list, Expr.literal("]"));
    }

    private Expr string(SchemaKeywords keywords) {
        int least = keywords.bound("minLength", 0, LONGEST_STRING);
        int most = keywords.bound("maxLength", Expr.Repeat.UNBOUNDED, LONGEST_STRING);
        requireOrder("minLength", least, "maxLength", most, keywords);
        JsonNode pattern = keywords.get("pattern");
        JsonNode format = keywords.get("format");
        boolean bounded = least > 0 || most != Expr.Repeat.UNBOUNDED;
        if ((pattern == null ? 0 : 1) + (format == null ? 0 : 1) + (bounded ? 1 : 0) > 1) {
            throw keywords.error("only one of pattern, format, and minLength with maxLength is supported at a time");
        }
        if (pattern != null) {
            return pattern(pattern, keywords);
        }
        if (format != null) {
            return format(format, keywords);
        }
        return bounded
                ? Expr.sequence(
                        JsonText.QUOTE, new Expr.Repeat(shared(JsonText.CHARACTER), least, most), JsonText.QUOTE)
                : shared(JsonText.STRING);
    }

    private static Expr pattern(JsonNode pattern, SchemaKeywords keywords) {
        if (!pattern.isTextual()) {
            throw keywords.error("pattern=%s, expected a string".formatted(SchemaKeywords.shown(pattern)));
        }
        try {
            Expr body = RegexParser.parse(pattern.asText(), JsonText::oneOf, true);
            return Expr.sequence(JsonText.QUOTE, body, JsonText.QUOTE);
        } catch (GuideException e) {
            throw new GuideException(keywords.error("pattern: ").getMessage() + e.getMessage(), e);
        }
    }

    private static Expr format(JsonNode format, SchemaKeywords keywords) {
        String pattern = FORMATS.get(format.asText());
        if (format.asText().equals("date-time")) {
            pattern = FORMATS.get("date") + "T" + FORMATS.get("time");
        }
        if (pattern == null) {
            throw keywords.error("format=%s is not supported; date, date-time, time and uuid are"
                    .formatted(SchemaKeywords.shown(format)));
        }
        return Expr.sequence(JsonText.QUOTE, RegexParser.parse(pattern, Utf8::oneOf, false), JsonText.QUOTE);
    }

    private static void requireOrder(String low, int least, String high, int most, SchemaKeywords keywords) {
        if (most != Expr.Repeat.UNBOUNDED && least > most) {
            throw keywords.error("%s=%d is above %s=%d".formatted(low, least, high, most));
        }
    }

    /** One rule for all places where an expression stands. */
    private Expr shared(Expr expr) {
        Integer known = ruleOfShared.get(expr);
        if (known == null) {
            known = newRule();
            rules.set(known, expr);
            ruleOfShared.put(expr, known);
        }
        return call(known);
    }

    /** Any JSON value: one rule that calls itself. */
    private Expr any() {
        if (anyValue == null) {
            anyValue = newRule();
            rules.set(
                    anyValue,
                    Expr.choice(
                            anyObject(),
                            brackets(any(), 0, Expr.Repeat.UNBOUNDED),
                            JsonText.STRING,
                            JsonText.NUMBER,
                            Expr.literal("true"),
                            Expr.literal("false"),
                            Expr.literal("null")));
        }
        return call(anyValue);
    }

    private Expr anyObject() {
        return braces(new Expr.Members(List.of(), member(JsonText.STRING, any()), JsonText.COMMA));
    }
}
