package dev.troupe.stage;

import dev.troupe.kernel.TokenBatch;
import dev.troupe.model.ShardStep;
import dev.troupe.sampling.RankCandidates;
import dev.troupe.sampling.RankRow;
import dev.troupe.sampling.SamplerState;
import dev.troupe.sampling.TokenDraw;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** The undisturbed run: one sequence at a time on one rank, without runners, messages or chunks. */
final class CountingOracle {
    private static final int BLOCK_SIZE = 256;

    private final CountingModel model;

    CountingOracle(CountingModel model) {
        this.model = model;
    }

    /** The first {@code count} tokens drawn after the start's, or fewer: a token that overflows ends them. */
    List<TokenDraw.Token> complete(SequenceStart start, int count) {
        List<TokenDraw.Token> drawn = new ArrayList<>();
        Ints tokens = start.tokens();
        while (drawn.size() < count && tokens.stream().noneMatch(id -> id == CountingModel.OVERFLOWING_TOKEN)) {
            TokenDraw.Token token = next(start, tokens);
            drawn.add(token);
            tokens = tokens.append(Ints.of(token.token()));
        }
        return drawn;
    }

    /** What comes after {@code tokens}. */
    TokenDraw.Token next(SequenceStart start, Ints tokens) {
        SamplerState state = new SamplerState(start.sampling(), start.promptLength());
        state.append(tokens);
        try (ShardStep step = run(tokens)) {
            RankRow row = new RankRow(step.logits(new int[] {tokens.size() - 1}), 0, 0, state, start.choice());
            RankCandidates candidates = row.candidates(row.draw().firstLimit());
            while (true) {
                switch (row.draw().choose(List.of(candidates))) {
                    case TokenDraw.Token token -> {
                        return token;
                    }
                    case TokenDraw.More more -> candidates = row.candidates(more.limit());
                    case TokenDraw.NotFinite _ -> throw new IllegalStateException("not finite");
                }
            }
        }
    }

    /** All logits after the last of {@code tokens}. */
    Floats logits(Ints tokens) {
        try (ShardStep step = run(tokens)) {
            return step.logits(new int[] {tokens.size() - 1});
        }
    }

    /** The state after the last of {@code tokens}. */
    Floats hidden(Ints tokens) {
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
