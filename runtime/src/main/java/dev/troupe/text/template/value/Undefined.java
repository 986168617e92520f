package dev.troupe.text.template.value;

import dev.troupe.text.template.limit.TemplateException;

/**
 * What a name stands for that nobody set. It is false, empty, and prints as nothing; all else that is done with it fails.
 *
 * @param reason the message of that failure
 */
public record Undefined(String reason) {
    public static Undefined name(String name) {
        return new Undefined("'%s' is undefined".formatted(name));
    }

    /** @throws TemplateException.Failed if the value is undefined */
    public static void refuse(Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.failure();
        }
    }

    public TemplateException failure() {
        return new TemplateException.Failed(reason);
    }
}
