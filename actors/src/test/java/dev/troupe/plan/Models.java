package dev.troupe.plan;

import dev.troupe.model.ModelConfig;
import dev.troupe.model.RopeConfig;
import java.util.Collections;
import java.util.List;

/** Shapes of small models for tests that only split them. */
public final class Models {
    private Models() {}

    /** A Llama with two query heads for every KV head, 16 wide. */
    public static ModelConfig config(int layers, int kvHeads, int vocabularySize) {
        return new ModelConfig(
                "llama",
                layers,
                kvHeads * 32,
                256,
                kvHeads * 2,
                kvHeads,
                16,
                vocabularySize,
                128,
                1e-5f,
                new RopeConfig(10_000, new RopeConfig.None()),
                0,
                Collections.nCopies(layers, false),
                true,
                false,
                false,
                false,
                false,
                1,
                List.of(2));
    }
}
