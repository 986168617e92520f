package dev.troupe.load;

/** What decides when the next request is sent. */
public sealed interface Pace {
    /**
     * Requests arrive whether or not earlier ones are done, as from many users, and their latency counts from when they were due.
     *
     * @param rate requests per second on average
     */
    record Open(double rate) implements Pace {
        public Open {
            if (!(rate > 0 && rate <= 1e6)) {
                throw new IllegalArgumentException(
                        "--rate %s, expected more than 0 and at most 1000000".formatted(rate));
            }
        }
    }

    /**
     * So many are always under way: the next is sent when one is done.
     *
     * @param concurrency requests at the same time
     */
    record Closed(int concurrency) implements Pace {
        public Closed {
            if (concurrency < 1 || concurrency > 100_000) {
                throw new IllegalArgumentException("--concurrency %d, expected 1 to 100000".formatted(concurrency));
            }
        }
    }
}
