package dev.troupe.generation;

import dev.troupe.serving.FinishReason;
import dev.troupe.serving.Output;
import dev.troupe.stage.Epoch;

/** One thing that has happened to a generation, for good. An entry's place in the log is where a stream resumes. */
public sealed interface LogEntry {
    /** Index among the choices, from 0. */
    int choice();

    /**
     * A token, a row of logits or a hidden state.
     *
     * @param epoch which membership computed it
     */
    record Computed(Epoch epoch, Output output) implements LogEntry {
        @Override
        public int choice() {
            return output.choice();
        }
    }

    /**
     * A choice has ended.
     *
     * @param completionTokens how many of its tokens count
     */
    record Finished(int choice, int completionTokens, FinishReason reason) implements LogEntry {}
}
