package dev.troupe.sampling.guide;

import dev.troupe.sampling.guide.automaton.Automaton;
import dev.troupe.sampling.guide.source.GuideSource;

/**
 * What a client asked its text to be: small, and compiled to the same automaton everywhere.
 *
 * @param source as the kind says
 */
public record GuideSpec(Kind kind, String source) {
    /** Kinds of guides. */
    public enum Kind {
        /** The source is a regular expression that the whole text matches. */
        REGEX,
        /** The source is a JSON schema. */
        JSON_SCHEMA,
        /** Any JSON object; the source is empty. */
        JSON_OBJECT,
        /** The source is a JSON array of strings, of which the text is one. */
        CHOICE,
        /** The source is a JSON object that says how calls are written: {@link GuideSource#calls}. */
        CALLS
    }

    /**
     * The guide's automaton.
     *
     * @throws dev.troupe.sampling.guide.automaton.GuideException if the source is malformed, unsupported or beyond a limit
     */
    public Automaton compile() {
        return switch (kind) {
            case REGEX -> GuideSource.regex(source);
            case JSON_SCHEMA -> GuideSource.jsonSchema(source);
            case JSON_OBJECT -> GuideSource.jsonObject();
            case CHOICE -> GuideSource.choice(source);
            case CALLS -> GuideSource.calls(source);
        };
    }
}
