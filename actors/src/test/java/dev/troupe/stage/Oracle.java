package dev.troupe.stage;

import dev.troupe.sampling.RankCandidates;
import dev.troupe.sampling.RankRow;
import dev.troupe.sampling.SamplerState;
import dev.troupe.sampling.TokenDraw;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.util.ArrayList;
import java.util.List;

/** The undisturbed run: one sequence at a time on one rank, without runners and messages. */
interface Oracle {
    /** Logits {@code [1, vocabulary]} after the last of {@code tokens}. */
    Floats logits(Ints tokens);

    /** State after the final norm {@code [1, hidden]} after the last of {@code tokens}. */
    Floats hidden(Ints tokens);

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
