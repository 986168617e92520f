package dev.troupe.generation;

import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import java.util.List;

/** What a generation tells its subscriber. After {@link Ended} or {@link Failed} nothing follows. */
public sealed interface GenerationEvent {
    /** Whose. */
    GenerationId id();

    /**
     * More of the log.
     *
     * @param first place of the first entry in the log, from 0
     * @param entries at least one
     */
    record Entries(GenerationId id, long first, List<LogEntry> entries) implements GenerationEvent {
        public Entries {
            entries = List.copyOf(entries);
        }
    }

    /**
     * All of the log has been told; every choice has a reason why it ended.
     *
     * @param promptTokens of the prompt, once
     * @param completionTokens of all choices
     * @param cachedTokens of the prompt, that were there when the generation began and did not have to be computed; 0 where
     *     the owner that knew it was lost
     */
    record Ended(GenerationId id, int promptTokens, int completionTokens, int cachedTokens)
            implements GenerationEvent {}

    /** The generation could not go on; what there is of the log has been told. */
    record Failed(GenerationId id, GenerationFailure failure) implements GenerationEvent {}
}
