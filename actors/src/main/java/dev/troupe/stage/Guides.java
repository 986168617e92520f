package dev.troupe.stage;

import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.sampling.guide.TokenTable;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * The guides that a rank of the last stage follows; those last used are kept compiled. A large one takes seconds to compile, so
 * that is done on other threads while the shard goes on with other sequences. Owned by the shard's thread.
 */
final class Guides implements AutoCloseable {
    /** Guides that are kept. */
    static final int MOST = 16;

    /** Guides that are being compiled or wait for it: among more, those that nobody wants any more would hold the others up. */
    static final int MOST_PENDING = 4;

    private final @Nullable TokenTable tokens;
    private final Executor compiler;
    private final Map<GuideSpec, PendingGuide> known = new LinkedHashMap<>();

    /**
     * @param tokens null where no guide can be followed
     * @param compiler runs what compiles a guide
     */
    Guides(@Nullable TokenTable tokens, Executor compiler) {
        this.tokens = tokens;
        this.compiler = compiler;
    }

    /** Those of a rank that follows none. */
    static Guides none() {
        return new Guides(null, Runnable::run);
    }

    /** A guide that is compiled or will be; null while too many others are being compiled, to be asked for again. */
    @Nullable
    PendingGuide of(GuideSpec spec) {
        PendingGuide guide = known.remove(spec);
        if (guide == null) {
            if (known.values().stream().filter(one -> !one.isReady()).count() >= MOST_PENDING) {
                return null;
            }
            guide = new PendingGuide(spec, tokens);
            compiler.execute(guide);
        }
        known.put(spec, guide);
        if (known.size() > MOST) {
            known.values().stream().filter(PendingGuide::isReady).findFirst().ifPresent(known.values()::remove);
        }
        return guide;
    }

    /** What is not compiled yet never will be. */
    @Override
    public void close() {
        known.values().forEach(PendingGuide::abandon);
    }
}
