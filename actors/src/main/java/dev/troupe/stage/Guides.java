package dev.troupe.stage;

import dev.troupe.sampling.SamplingParameters;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.sampling.guide.TokenGuide;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.sampling.guide.automaton.GuideException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The guides that a rank of the last stage follows; those last used are kept compiled. Owned by the shard's thread. */
final class Guides {
    private static final int MOST = 16;

    private final @Nullable TokenTable tokens;
    private final Map<GuideSpec, TokenGuide> compiled = new LinkedHashMap<>();

    /** @param tokens null where no guide can be followed */
    Guides(@Nullable TokenTable tokens) {
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
        if (tokens == null) {
            throw new GuideException("this rank cannot follow a guide: its model has no tokenizer or no end of text");
        }
        TokenGuide guide = compiled.remove(spec);
        if (guide == null) {
            guide = new TokenGuide(spec.compile(), tokens);
        }
        compiled.put(spec, guide);
        if (compiled.size() > MOST) {
            compiled.remove(compiled.keySet().iterator().next());
        }
        return guide;
    }
}
