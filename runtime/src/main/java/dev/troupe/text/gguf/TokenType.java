package dev.troupe.text.gguf;

import java.util.Optional;

/** What a token of a GGUF vocabulary is: the numbers of {@code tokenizer.ggml.token_type}, which are SentencePiece's. */
enum TokenType {
    NORMAL(1),
    UNKNOWN(2),
    CONTROL(3),
    USER_DEFINED(4),
    UNUSED(5),
    BYTE(6);

    private static final TokenType[] ALL = values();

    private final int number;

    TokenType(int number) {
        this.number = number;
    }

    static Optional<TokenType> of(int number) {
        return number >= 1 && number <= ALL.length ? Optional.of(ALL[number - 1]) : Optional.empty();
    }

    /** Whether it is found as it is written, before the rest of a text is cut into tokens. */
    boolean isAdded() {
        return this == UNKNOWN || this == CONTROL || this == USER_DEFINED;
    }

    /** Whether it stands for no text. */
    boolean isSpecial() {
        return this == UNKNOWN || this == CONTROL;
    }

    int number() {
        return number;
    }
}
