package dev.troupe.stage;

import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.sampling.guide.TokenGuide;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.sampling.guide.automaton.GuideException;
import org.jspecify.annotations.Nullable;

/**
 * A guide on its way from a compiling thread, which runs this, to the shard, which alone uses what came of it. Thread-safe.
 */
final class PendingGuide implements Runnable {
    /** What came of it. */
    private interface Outcome {
        TokenGuide get();
    }

    private final GuideSpec spec;
    private final @Nullable TokenTable tokens;
    private volatile @Nullable Outcome outcome;
    private volatile boolean abandoned;

    /** @param tokens null where no guide can be followed */
    PendingGuide(GuideSpec spec, @Nullable TokenTable tokens) {
        this.spec = spec;
        this.tokens = tokens;
    }

    /** From the compiling thread: compiles it, unless nobody wants it any more. */
    @Override
    public void run() {
        if (abandoned) {
            return;
        }
        try {
            if (tokens == null) {
                throw new GuideException(
                        "this rank cannot follow a guide: its model has no tokenizer or no end of text");
            }
            TokenGuide guide = new TokenGuide(spec.compile(), tokens);
            outcome = () -> guide;
        } catch (GuideException refusal) {
            refuse(refusal);
        } catch (Throwable failure) {
            refuse(new GuideException("the guide could not be compiled: " + failure, failure));
            throw failure;
        }
    }

    private void refuse(GuideException refusal) {
        outcome = () -> {
            throw refusal;
        };
    }

    /** From the shard: nobody wants it any more. */
    void abandon() {
        abandoned = true;
    }

    /** Whether {@link #guide} may be called. */
    boolean isReady() {
        return outcome != null;
    }

    /**
     * The guide, when it is ready.
     *
     * @throws GuideException if it cannot be followed here
     */
    TokenGuide guide() {
        Outcome found = outcome;
        if (found == null) {
            throw new IllegalStateException("%s is not compiled yet".formatted(spec));
        }
        return found.get();
    }
}
