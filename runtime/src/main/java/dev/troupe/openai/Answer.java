package dev.troupe.openai;

import org.jspecify.annotations.Nullable;

/**
 * A whole answer.
 *
 * @param text of the first choice
 * @param finishReason why it ended, or null if the server does not tell
 * @param usage or null if the server does not tell
 */
public record Answer(
        String text,
        @Nullable String finishReason,
        @Nullable Usage usage) {}
