package dev.troupe.chaos;

import java.time.Duration;

/** When in a stream a fault happens. */
public sealed interface Moment {
    /** What the command line calls it. */
    String label();

    /**
     * When so many completion tokens have come.
     *
     * @param count from 1
     */
    record AtToken(int count) implements Moment {
        public AtToken {
            if (count < 1) {
                throw new IllegalArgumentException("at token %d, expected at least 1".formatted(count));
            }
        }

        @Override
        public String label() {
            return "token=" + count;
        }
    }

    /**
     * So long after the request was sent, before its first token has come; if that has come, the fault does not happen.
     *
     * @param after zero: half of what the undisturbed stream took to its first token
     */
    record Prefill(Duration after) implements Moment {
        public Prefill {
            if (after.isNegative()) {
                throw new IllegalArgumentException(
                        "prefill=%dms, expected a time that is not negative".formatted(after.toMillis()));
            }
        }

        @Override
        public String label() {
            return after.isZero() ? "prefill" : "prefill=%dms".formatted(after.toMillis());
        }
    }

    /** In the middle of the prompt. */
    static Moment prefill() {
        return new Prefill(Duration.ZERO);
    }
}
