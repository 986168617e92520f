package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.troupe.tensor.Ints;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class GenerationRequestTest {
    private static GenerationRequest.Builder request() {
        return GenerationRequest.of("m", Ints.of(1));
    }

    @Test
    void refusesASaltThatIsTooLong() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> request().cacheSalt("x".repeat(257)).build())
                .withMessage("cache_salt has 257 characters, expected at most 256");
    }

    @Test
    void refusesWhatNobodyCanServeAndSaysWhatIsExpected() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> GenerationRequest.of("m", Ints.of()).build())
                .withMessage("prompt has no tokens, expected at least one");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> request().n(129).build())
                .withMessage("n=129, expected 1 to 128");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> request().maxTokens(-1).build())
                .withMessage("max_tokens=-1, expected at least 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> request().maxTokens(0).build())
                .withMessage("max_tokens=0 returns nothing, expected at least 1, or rows to return");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> request().deadline(Duration.ZERO).build())
                .withMessage("linger=PT0S deadline=PT0S, expected no negative time and some until the deadline");
    }
}
