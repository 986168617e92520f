package dev.troupe.config;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** A configuration that cannot be used; the message says which key, what it holds, and what it should. */
public final class ConfigurationException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1;

    private final @Nullable String key;

    /** One that concerns no single key. */
    public ConfigurationException(String message) {
        this(null, message, null);
    }

    ConfigurationException(@Nullable String key, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.key = key;
    }

    /** The key that is wrong, with the leading {@code troupe}, or null where it is not one key. */
    @Nullable
    String key() {
        return key;
    }

    /** The same with the place, a file and a line, in front. */
    ConfigurationException at(String place) {
        return new ConfigurationException(key, place + ": " + getMessage(), this);
    }
}
