package dev.troupe.client;

import dev.troupe.sampling.guide.CheckedGuides;
import dev.troupe.sampling.guide.GuideSpec;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import org.apache.pekko.Done;

/** Compiles guides that nobody here has compiled yet, one at a time, away from whoever asks. Owned by one thread. */
final class GuideChecks {
    private final Executor executor;
    private CompletableFuture<Done> last = CompletableFuture.completedFuture(Done.getInstance());

    /** @param executor compiles */
    GuideChecks(Executor executor) {
        this.executor = executor;
    }

    /** Done if it compiles, or fails with {@link dev.troupe.sampling.guide.automaton.GuideException}. */
    CompletionStage<Done> check(GuideSpec guide) {
        last = last.handleAsync(
                (before, failure) -> {
                    CheckedGuides.require(guide);
                    return Done.getInstance();
                },
                executor);
        return last;
    }
}
