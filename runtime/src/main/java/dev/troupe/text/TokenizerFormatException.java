package dev.troupe.text;

import java.io.IOException;
import java.io.Serial;

/** A tokenizer that cannot be used: a {@code tokenizer.json}, or a GGUF vocabulary. The message names the file and says why. */
public final class TokenizerFormatException extends IOException {
    @Serial
    private static final long serialVersionUID = 1;

    public TokenizerFormatException(String file, String reason) {
        super("%s: %s".formatted(file, reason));
    }

    TokenizerFormatException(String file, String reason, Throwable cause) {
        super("%s: %s".formatted(file, reason), cause);
    }

    /** What {@code cause} says, which names the file already. */
    public TokenizerFormatException(IOException cause) {
        super(cause.getMessage(), cause);
    }
}
