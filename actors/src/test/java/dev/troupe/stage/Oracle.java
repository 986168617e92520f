package dev.troupe.stage;

import dev.troupe.sampling.RankCandidates;
import dev.troupe.sampling.RankRow;
import dev.troupe.sampling.SamplerState;
import dev.troupe.sampling.TokenDraw;
import dev.troupe.sampling.TokenScore;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;

/** The undisturbed run: one sequence at a time on one rank, without runners and messages. */
public interface Oracle {
    /** Logits {@code [1, vocabulary]} after the last of {@code tokens}. */
    Floats logits(Ints tokens);

    /** State after the final norm {@code [1, hidden]} after the last of {@code tokens}. */
    Floats hidden(Ints tokens);

    /** Mean of the states after the final norm of all of {@code tokens}, {@code [1, hidden]}. */
    default Floats mean(Ints tokens) {
        double[] sums = new double[hidden(tokens.slice(0, 1)).columns()];
        for (int end = 1; end <= tokens.size(); end++) {
            Floats state = hidden(tokens.slice(0, end));
            for (int column = 0; column < sums.length; column++) {
                sums[column] += state.get(0, column);
            }
        }
        float[] mean = new float[sums.length];
        for (int column = 0; column < mean.length; column++) {
            mean[column] = (float) (sums[column] / tokens.size());
        }
        return new Floats(1, mean.length, mean);
    }

    /** How probable {@code token} was after {@code tokens}. */
    default TokenDraw.Token score(Ints tokens, int token, int topLogprobs) {
        TokenScore score = new TokenScore(token, topLogprobs);
        return (TokenDraw.Token) score.merge(List.of(score.candidates(logits(tokens), 0, 0)));
    }

    /** Whether {@code token} ends its sequence with a value that is not finite. */
    boolean fails(int token);

    /** The first {@code count} tokens drawn after the start's, or fewer: one that fails ends them. */
    default List<TokenDraw.Token> complete(SequenceStart start, int count) {
        List<TokenDraw.Token> drawn = new ArrayList<>();
        Ints tokens = start.tokens();
        while (drawn.size() < count && tokens.stream().noneMatch(this::fails)) {
            TokenDraw.Token token = next(start, tokens);
            drawn.add(token);
            tokens = tokens.append(Ints.of(token.token()));
        }
        return drawn;
    }

    private TokenDraw.Token next(SequenceStart start, Ints tokens) {
        SamplerState state = new SamplerState(start.sampling(), start.promptLength());
        state.append(tokens);
        RankRow row = new RankRow(logits(tokens), 0, 0, state, start.choice());
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
