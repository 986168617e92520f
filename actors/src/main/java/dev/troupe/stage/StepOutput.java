package dev.troupe.stage;

/** Where a rank's messages go. Never blocks. */
interface StepOutput {
    /** To rank {@code rank} of the own stage. */
    void toPeer(int rank, TensorMessage message);

    /** To rank {@code rank} of the next stage. */
    void toNextStage(int rank, HandOff handOff);

    /** To the scheduler. */
    void result(StepResult result);

    /** A message of this epoch was refused; for the log. */
    void refused(String reason);
}
