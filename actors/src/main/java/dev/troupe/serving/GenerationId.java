package dev.troupe.serving;

/**
 * Names a generation for ever.
 *
 * @param value random part
 * @param slot front-end slot that owns it, {@code host:port#uid/frontend}
 */
public record GenerationId(String value, String slot) {
    @Override
    public String toString() {
        return value + "@" + slot;
    }
}
