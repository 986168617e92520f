package dev.troupe.serving;

/**
 * Names a generation for ever.
 *
 * @param value random part, without {@code @}
 * @param slot front-end slot that owns it, {@code host:port#uid/frontend}
 */
public record GenerationId(String value, String slot) {
    public GenerationId {
        if (value.isEmpty() || value.indexOf('@') >= 0) {
            throw new IllegalArgumentException(
                    "generation id %s@%s, expected a non-empty part without @ before the slot".formatted(value, slot));
        }
    }

    /**
     * Reads what {@link #toString()} writes.
     *
     * @throws IllegalArgumentException if there is no {@code @}
     */
    public static GenerationId parse(String text) {
        int at = text.indexOf('@');
        if (at < 0) {
            throw new IllegalArgumentException("generation id %s, expected ID@SLOT".formatted(text));
        }
        return new GenerationId(text.substring(0, at), text.substring(at + 1));
    }

    @Override
    public String toString() {
        return value + "@" + slot;
    }
}
