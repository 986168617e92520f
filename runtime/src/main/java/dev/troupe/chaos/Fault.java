package dev.troupe.chaos;

import java.time.Duration;

/** Something that a node does to itself on purpose. */
public sealed interface Fault {
    /** What the command line calls it. */
    String label();

    /** Whether the process is to be gone afterwards. */
    default boolean isFatal() {
        return false;
    }

    /** The process halts at once. */
    record Kill() implements Fault {
        @Override
        public String label() {
            return "kill";
        }

        @Override
        public boolean isFatal() {
            return true;
        }
    }

    /** A rank halts its process after it has sent its next partial, before it has those of its peers. */
    record CrashInExchange() implements Fault {
        @Override
        public String label() {
            return "crash-in-exchange";
        }

        @Override
        public boolean isFatal() {
            return true;
        }
    }

    /**
     * From now on the process halts as soon as the first rank of the first stage computes this token there: a request that
     * has it kills whoever computes it.
     *
     * @param token its id, from 0
     */
    record Poison(int token) implements Fault {
        public Poison {
            if (token < 0) {
                throw new IllegalArgumentException("poison %d, expected the id of a token, from 0".formatted(token));
            }
        }

        @Override
        public String label() {
            return "poison";
        }

        @Override
        public boolean isFatal() {
            return true;
        }
    }

    /** SIGSTOP, and SIGCONT after a while. */
    record Pause(Duration duration) implements Fault {
        public Pause {
            requirePositive("pause", duration);
        }

        @Override
        public String label() {
            return "pause";
        }
    }

    /**
     * Every unit of compute takes longer.
     *
     * @param factor how many times as long, more than 1
     */
    record Slow(double factor, Duration duration) implements Fault {
        public Slow {
            if (!(factor > 1 && factor <= 1e6)) {
                throw new IllegalArgumentException("slow %s, expected a factor above 1, up to 1e6".formatted(factor));
            }
            requirePositive("slow", duration);
        }

        @Override
        public String label() {
            return "slow";
        }
    }

    /** Whoever computes on this node blocks in its next unit of work; the process stays well. */
    record StuckKernel(Duration duration) implements Fault {
        public StuckKernel {
            requirePositive("stuck-kernel", duration);
        }

        @Override
        public String label() {
            return "stuck-kernel";
        }
    }

    /**
     * Nothing that this node sends arrives at a peer, on either road. A cut of both directions is one of these on each side.
     *
     * @param peer Artery address, {@code host:port}
     */
    record Cut(String peer, Duration duration) implements Fault {
        public Cut {
            requirePositive("cut", duration);
        }

        @Override
        public String label() {
            return "cut";
        }
    }

    /** All connections of the tensor lane are closed, with what waits for them. */
    record ResetConnections() implements Fault {
        @Override
        public String label() {
            return "reset-connections";
        }
    }

    private static void requirePositive(String fault, Duration duration) {
        if (!duration.isPositive()) {
            throw new IllegalArgumentException(
                    "%s for %s ms, expected a duration above 0".formatted(fault, duration.toMillis()));
        }
    }
}
