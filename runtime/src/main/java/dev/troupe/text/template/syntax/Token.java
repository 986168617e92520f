package dev.troupe.text.template.syntax;

/**
 * A piece of a template's source.
 *
 * @param text what it stands for: text as it is printed, a string without quotes and escapes, else as written
 * @param line where it begins, from 1
 */
record Token(Kind kind, String text, int line) {
    enum Kind {
        /** Text between tags. */
        DATA,
        PRINT_BEGIN,
        PRINT_END,
        BLOCK_BEGIN,
        BLOCK_END,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        END
    }

    boolean is(Kind other, String value) {
        return kind == other && text.equals(value);
    }

    /** For messages. */
    String shown() {
        return switch (kind) {
            case DATA -> "text";
            case PRINT_BEGIN -> "'{{'";
            case PRINT_END -> "'}}'";
            case BLOCK_BEGIN -> "'{%'";
            case BLOCK_END -> "'%}'";
            case STRING -> "a string";
            case END -> "the end of the template";
            case NAME, INTEGER, FLOAT, OPERATOR ->
                "'%s'".formatted(text.length() <= 40 ? text : text.substring(0, 40) + "...");
        };
    }
}
