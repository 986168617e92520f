package dev.troupe.sampling.guide;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.tensor.Ints;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;

/** A text drawn at random from a guide's masks, token by token. */
final class Walk {
    /** What ends a JSON document soon, the best first. */
    static final String CLOSING = "\"}]0:";

    private final List<Integer> tokens = new ArrayList<>();
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final TokenTable table;
    private boolean ended;

    private Walk(TokenTable table) {
        this.table = table;
    }

    /** Draws until a text ends; after {@code patience} tokens, an end or the first of {@code closing} where they may be. */
    static Walk of(TokenGuide guide, TokenTable table, Random random, int patience, Supplier<String> closing) {
        Walk walk = new Walk(table);
        GuideState state = guide.start();
        while (!state.ended()) {
            if (walk.tokens.size() > patience + 5_000) {
                return walk;
            }
            TokenMask mask = guide.mask(state);
            int token = walk.tokens.size() > patience && random.nextInt(4) > 0
                    ? walk.closing(mask, random, closing.get())
                    : any(mask, random);
            walk.tokens.add(token);
            if (!table.isEndOfText(token)) {
                walk.bytes.writeBytes(table.bytes(token));
            }
            state = guide.advance(state, token);
            walk.ended = state.ended();
        }
        return walk;
    }

    private static int any(TokenMask mask, Random random) {
        int skip = random.nextInt(mask.count());
        int token = mask.next(0);
        for (int i = 0; i < skip; i++) {
            token = mask.next(token + 1);
        }
        return token;
    }

    private int closing(TokenMask mask, Random random, String closing) {
        int best = -1;
        int rank = Integer.MAX_VALUE;
        for (int token = mask.next(0); token >= 0; token = mask.next(token + 1)) {
            byte[] own = table.bytes(token);
            int index = table.isEndOfText(token) ? 0 : own.length == 1 ? 1 + closing.indexOf(own[0]) : 0;
            if ((index > 0 || table.isEndOfText(token)) && index < rank) {
                best = token;
                rank = index;
            }
        }
        return best >= 0 ? best : any(mask, random);
    }

    /** The tokens without the one that ended the text. */
    Ints completion() {
        assertThat(ended).as(rawText()).isTrue();
        return Ints.of(tokens.stream()
                .mapToInt(Integer::intValue)
                .limit(tokens.size() - 1)
                .toArray());
    }

    /** Whether it came to an end in time. */
    boolean ended() {
        return ended;
    }

    /** The text, which must have ended and be UTF-8. */
    String text() {
        assertThat(ended).as(rawText()).isTrue();
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes.toByteArray()))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new AssertionError("no UTF-8: " + rawText(), e);
        }
    }

    private String rawText() {
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
