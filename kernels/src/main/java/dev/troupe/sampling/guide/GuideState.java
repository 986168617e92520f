package dev.troupe.sampling.guide;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where a guided text stands: a value, the same for the same tokens however it was reached. It remembers what was found
 * from it, so states belong to the thread of their {@link TokenGuide}.
 */
public final class GuideState {
    /** Where no byte leads. */
    static final GuideState DEAD = new GuideState(List.of(), false, false);

    /** After an end-of-text token. */
    static final GuideState ENDED = new GuideState(List.of(), true, true, true);

    /** One way to read the text so far. */
    record Reading(int state, @Nullable OpenCall calls) {}

    private final List<Reading> readings;
    private final boolean accepts;
    private final boolean rests;
    private final boolean ended;
    private @Nullable GuideState @Nullable [] next;
    private @Nullable TokenMask mask;

    /**
     * @param readings all that can go on by a byte
     * @param accepts whether the text may end here
     * @param rests whether a token may end here: single-byte tokens lead from here to an end
     */
    GuideState(List<Reading> readings, boolean accepts, boolean rests) {
        this(readings, accepts, rests, false);
    }

    private GuideState(List<Reading> readings, boolean accepts, boolean rests, boolean ended) {
        this.readings = readings;
        this.accepts = accepts;
        this.rests = rests;
        this.ended = ended;
    }

    List<Reading> readings() {
        return readings;
    }

    /** Whether the text satisfies the guide as it is: exactly then it may end. */
    public boolean accepts() {
        return accepts;
    }

    /** Whether an end-of-text token has ended the text. */
    public boolean ended() {
        return ended;
    }

    boolean rests() {
        return rests;
    }

    boolean isDead() {
        return readings.isEmpty() && !accepts;
    }

    @Nullable
    GuideState next(int byteClass) {
        return next == null ? null : next[byteClass];
    }

    void remember(int byteClass, int classes, GuideState state) {
        if (next == null) {
            next = new GuideState[classes];
        }
        next[byteClass] = state;
    }

    @Nullable
    TokenMask mask() {
        return mask;
    }

    void remember(@Nullable TokenMask found) {
        mask = found;
    }

    void forgetNext() {
        next = null;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return this == other
                || (other instanceof GuideState that
                        && ended() == that.ended()
                        && accepts == that.accepts
                        && readings.equals(that.readings));
    }

    @Override
    public int hashCode() {
        return 2 * readings.hashCode() + (accepts ? 1 : 0);
    }

    @Override
    public String toString() {
        int deepest = readings.stream()
                .mapToInt(reading -> OpenCall.open(reading.calls()))
                .max()
                .orElse(0);
        return "GuideState[readings=%d, open calls=%d, accepts=%s]".formatted(readings.size(), deepest, accepts);
    }
}
