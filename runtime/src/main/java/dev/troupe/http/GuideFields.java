package dev.troupe.http;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.sampling.guide.CheckedGuides;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.sampling.guide.automaton.GuideException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a request says about the form of its completion. */
final class GuideFields {
    private static final int MOST_CHOICES = 4096;

    private GuideFields() {}

    private record Named(String field, GuideSpec spec) {}

    /** The guide of a completion: {@code guided_regex}, {@code guided_choice} or {@code guided_json}; null for none. */
    static @Nullable GuideSpec completion(Fields fields) {
        return one(guided(fields));
    }

    /** The guide of a chat: those of a completion, or {@code response_format}. */
    static @Nullable GuideSpec chat(Fields fields) {
        List<Named> all = guided(fields);
        fields.object("response_format").ifPresent(format -> {
            String type = format.text("type").orElse("");
            switch (type) {
                case "text" -> {}
                case "json_object" ->
                    all.add(new Named("response_format", new GuideSpec(GuideSpec.Kind.JSON_OBJECT, "")));
                case "json_schema" -> all.add(new Named("response_format", schema(format)));
                default ->
                    throw ApiError.invalid(
                            "response_format.type", "response_format.type, expected text, json_object or json_schema");
            }
            format.requireNoOthers();
        });
        return one(all);
    }

    private static GuideSpec schema(Fields format) {
        Fields schema = format.object("json_schema")
                .orElseThrow(() ->
                        ApiError.invalid("response_format.json_schema", "response_format.json_schema is missing"));
        JsonNode body = schema.value("schema")
                .orElseThrow(() -> ApiError.invalid(
                        "response_format.json_schema.schema", "response_format.json_schema.schema is missing"));
        schema.text("name");
        schema.text("description");
        schema.flag("strict", true); // what cannot be kept strictly is refused
        schema.requireNoOthers();
        return new GuideSpec(GuideSpec.Kind.JSON_SCHEMA, body.toString());
    }

    private static List<Named> guided(Fields fields) {
        List<Named> all = new ArrayList<>();
        fields.text("guided_regex")
                .ifPresent(regex -> all.add(new Named("guided_regex", new GuideSpec(GuideSpec.Kind.REGEX, regex))));
        List<JsonNode> choices = fields.array("guided_choice", MOST_CHOICES);
        if (fields.value("guided_choice").isPresent()) {
            if (choices.isEmpty()) {
                throw ApiError.invalid("guided_choice", "guided_choice is empty, expected at least one text");
            }
            String source = fields.value("guided_choice").orElseThrow().toString();
            all.add(new Named("guided_choice", new GuideSpec(GuideSpec.Kind.CHOICE, source)));
        }
        fields.value("guided_json").ifPresent(schema -> {
            if (!schema.isObject()) {
                throw fields.expected("guided_json", schema, "a JSON schema");
            }
            all.add(new Named("guided_json", new GuideSpec(GuideSpec.Kind.JSON_SCHEMA, schema.toString())));
        });
        return all;
    }

    /** Checks it, so that what is wrong with it is known before anything is computed. */
    private static @Nullable GuideSpec one(List<Named> all) {
        if (all.isEmpty()) {
            return null;
        }
        if (all.size() > 1) {
            throw ApiError.invalid(
                    all.getLast().field(),
                    "%s and %s exclude each other"
                            .formatted(all.getFirst().field(), all.getLast().field()));
        }
        Named named = all.getFirst();
        try {
            CheckedGuides.require(named.spec());
            return named.spec();
        } catch (GuideException e) {
            throw ApiError.invalid(named.field(), "%s: %s".formatted(named.field(), e.getMessage()));
        }
    }
}
