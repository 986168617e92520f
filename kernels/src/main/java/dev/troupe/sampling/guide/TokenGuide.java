package dev.troupe.sampling.guide;

import dev.troupe.sampling.guide.automaton.Automaton;
import dev.troupe.sampling.guide.automaton.GuideException;
import dev.troupe.tensor.Ints;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Which tokens may come next, as a function of the completion tokens so far: a guide over one vocabulary. Whatever it
 * allows can be ended within the guide, and at least one token is always allowed. Many sequences may use it; owned by one
 * thread.
 */
public final class TokenGuide {
    /** Masks that are remembered; each has a bit per token. */
    static final int MOST_MASKS = 256;

    private final ByteMachine machine;
    private final TokenTable tokens;
    private final Deque<GuideState> masked = new ArrayDeque<>();

    /**
     * @throws GuideException if the vocabulary's single-byte tokens cannot write any text of the guide: then some text
     *     could not be ended
     */
    public TokenGuide(Automaton automaton, TokenTable tokens) {
        this(automaton, tokens, ByteMachine.MOST_STATES);
    }

    TokenGuide(Automaton automaton, TokenTable tokens, int mostStates) {
        this.machine = new ByteMachine(automaton, tokens.singleBytes(), mostStates);
        this.tokens = tokens;
        if (!machine.start().rests()) {
            throw new GuideException(
                    "no text of the guide can be written by single-byte tokens of this vocabulary (%s); it needs a token for every byte"
                            .formatted(tokens));
        }
    }

    /** The state before the first completion token. */
    public GuideState start() {
        return machine.start();
    }

    /** The state after these completion tokens: the same as if they had come one by one. */
    public GuideState after(Ints completion) {
        GuideState state = start();
        for (int i = 0; i < completion.size(); i++) {
            state = advance(state, completion.get(i));
        }
        return state;
    }

    /**
     * The state after one more token.
     *
     * @throws GuideException if the mask of {@code state} does not allow it
     */
    public GuideState advance(GuideState state, int token) {
        if (tokens.isEndOfText(token)) {
            if (!state.accepts()) {
                throw refused(token, "the text may not end yet");
            }
            return GuideState.ENDED;
        }
        byte[] bytes = tokens.own(token);
        GuideState at = state;
        for (int i = 0; i < bytes.length; i++) {
            at = machine.step(at, bytes[i] & 255);
            if (at == null) {
                throw refused(token, "its byte %d, 0x%02x, fits no text of the guide".formatted(i, bytes[i]));
            }
        }
        if (bytes.length == 0 || !at.rests()) {
            throw refused(
                    token, bytes.length == 0 ? "it stands for no text" : "the vocabulary could not go on after it");
        }
        return at;
    }

    private static GuideException refused(int token, String why) {
        return new GuideException("token %d is not allowed by the guide: %s".formatted(token, why));
    }

    /**
     * The tokens that may come next. An end-of-text token is among them exactly where the text satisfies the guide, and
     * alone where nothing may follow.
     */
    public TokenMask mask(GuideState state) {
        TokenMask known = state.mask();
        if (known != null && !state.ended()) {
            return known;
        }
        long[] words = new long[(tokens.size() + 63) / 64];
        tokens.trie().allow(machine, state, words);
        if (state.accepts()) {
            tokens.endOfText().stream().forEach(id -> words[id >>> 6] |= 1L << (id & 63));
        }
        TokenMask mask = new TokenMask(words, tokens.size());
        if (mask.count() == 0) {
            throw new GuideException("no token is allowed at %s of %s".formatted(state, tokens));
        }
        if (!state.ended()) {
            remember(state, mask);
        }
        return mask;
    }

    private void remember(GuideState state, TokenMask mask) {
        if (masked.size() == MOST_MASKS) {
            masked.remove().remember((TokenMask) null);
        }
        state.remember(mask);
        masked.add(state);
    }
}
