package dev.troupe.stage;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.model.ShardStep;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.List;
import java.util.stream.IntStream;

/** The undisturbed run of a {@link CountingModel}, always from the first token, without chunks. */
final class CountingOracle implements Oracle {
    private static final int BLOCK_SIZE = 256;

    private final CountingModel model;

    CountingOracle(CountingModel model) {
        this.model = model;
    }

    @Override
    public boolean fails(int token) {
        return token == CountingModel.OVERFLOWING_TOKEN;
    }

    @Override
    public Floats logits(Ints tokens) {
        try (ShardStep step = run(tokens)) {
            return step.logits(new int[] {tokens.size() - 1});
        }
    }

    @Override
    public Floats hidden(Ints tokens) {
        try (ShardStep step = run(tokens)) {
            return step.finalHidden(new int[] {tokens.size() - 1});
        }
    }

    private ShardStep run(Ints tokens) {
        CountingShard shard = new CountingShard(model, model.unsplit(), 0, 0, 1, BLOCK_SIZE);
        TokenBatch batch = new TokenBatch(
                tokens.toArray(), IntStream.range(0, tokens.size()).toArray(), new int[tokens.size()], new int[][] {{0}
                });
        ShardStep step = shard.begin(batch, null);
        for (int segment = 0; segment < shard.segments(); segment++) {
            step.compute();
            step.finish(List.of());
        }
        return step;
    }
}
