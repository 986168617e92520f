package dev.troupe.stage;

import dev.troupe.sampling.SamplingParameters;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.sampling.guide.TokenGuide;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.sampling.guide.automaton.GuideException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/** The guides that a rank of the last stage follows; those last used are kept compiled. Owned by the shard's thread. */
final class Guides {
    private static final int MOST = 16;

    private final CompletableFuture<@Nullable TokenTable> tokens;
    private final Map<GuideSpec, TokenGuide> compiled = new LinkedHashMap<>();

    /** @param tokens null where no guide can be followed; the first guide waits for it */
    Guides(CompletableFuture<@Nullable TokenTable> tokens) {
        this.tokens = tokens;
    }

    /**
     * The guide of a sequence, or null if it has none.
     *
     * @throws GuideException if it cannot be followed here
     */
    @Nullable
    TokenGuide of(SamplingParameters sampling) {
        GuideSpec spec = sampling.guide();
        if (spec == null) {
            return null;
        }
        TokenGuide guide = compiled.remove(spec);
        if (guide == null) {
            guide = new TokenGuide(spec.compile(), table());
        }
        compiled.put(spec, guide);
        if (compiled.size() > MOST) {
            compiled.remove(compiled.keySet().iterator().next());
        }
        return guide;
    }

    private TokenTable table() {
        TokenTable table;
        try {
            table = tokens.join();
        } catch (CompletionException e) {
            throw new GuideException("this rank cannot follow a guide: its tokenizer cannot be read: "
                    + Objects.requireNonNullElse(e.getCause(), e).getMessage());
        }
        if (table == null) {
            throw new GuideException("this rank cannot follow a guide: its model has no tokenizer or no end of text");
        }
        return table;
    }
}
