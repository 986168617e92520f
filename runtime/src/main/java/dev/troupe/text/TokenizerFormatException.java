package dev.troupe.text;

import java.io.IOException;
import java.io.Serial;
import java.nio.file.Path;

/** A {@code tokenizer.json} that cannot be used; the message names the file and says why. */
public final class TokenizerFormatException extends IOException {
    @Serial
    private static final long serialVersionUID = 1;

    TokenizerFormatException(Path file, String reason, Throwable cause) {
        super("%s: %s".formatted(file, reason), cause);
    }
}
