package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.serving.Output;
import java.util.List;
import org.junit.jupiter.api.Test;

class HashChainTest {
    private static Output.Token token(int position, int token, float logit) {
        return new Output.Token(0, position, token, logit, Float.NaN, List.of());
    }

    private static String hash(Output.Token... tokens) {
        HashChain chain = new HashChain();
        String last = "";
        for (Output.Token token : tokens) {
            last = chain.append(token);
        }
        return last;
    }

    @Test
    void isTheSameForTheSameTokensAndOfSixteenDigits() {
        String hash = hash(token(3, 17, 1.5f), token(4, 2, -0.25f));

        assertThat(hash(token(3, 17, 1.5f), token(4, 2, -0.25f))).isEqualTo(hash);
        assertThat(hash).matches("[0-9a-f]{16}");
    }

    @Test
    void changesWithEveryPartOfAnyToken() {
        String hash = hash(token(3, 17, 1.5f), token(4, 2, -0.25f));

        assertThat(List.of(
                        hash(token(3, 18, 1.5f), token(4, 2, -0.25f)),
                        hash(token(2, 17, 1.5f), token(4, 2, -0.25f)),
                        hash(token(3, 17, Math.nextUp(1.5f)), token(4, 2, -0.25f)),
                        hash(token(3, 17, 1.5f), token(4, 2, 0.25f)),
                        hash(token(4, 2, -0.25f), token(3, 17, 1.5f)),
                        hash(token(4, 2, -0.25f))))
                .doesNotContain(hash)
                .doesNotHaveDuplicates();
    }

    @Test
    void isKnownForAKnownToken() {
        // python3: hashlib.sha256(bytes(32) + struct.pack('>iif', 3, 17, 1.5)).hexdigest()[:16]
        assertThat(hash(token(3, 17, 1.5f))).isEqualTo("297f40cc9fc77525");
    }
}
