package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.Embedding;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.tensor.Ints;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A node is lost in the middle of a prompt of which a vector is wanted. */
@ExtendWith(SharedCluster.class)
@Order(SharedCluster.LAST)
class KilledEmbeddingsTest {
    private static final int PROMPT = 200;
    private static final int FIRST_TOKEN = 10;

    /** Stands once in the prompt, many chunks after its beginning; nothing else that is computed here has it. */
    private static final int DEADLY = FIRST_TOKEN + 150;

    /** Each begins with another token, so that nothing of it has been computed for another one. */
    private static TextRequest.Prompt prompt(Embedding.Pooling pooling) {
        return new TextRequest.Tokens(Ints.of(IntStream.range(0, PROMPT)
                .map(i -> i == 0 && pooling == Embedding.Pooling.LAST ? 0 : FIRST_TOKEN + i)
                .toArray()));
    }

    private static Embedding embed(Troupe troupe, Embedding.Pooling pooling) throws Exception {
        return troupe.embed(prompt(pooling), pooling)
                .toCompletableFuture()
                .get(ChaosCluster.PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }

    @ParameterizedTest
    @EnumSource
    void aVectorHasTheSameBitsWhenARankDiesUnderIt(Embedding.Pooling pooling, ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler", "stage-0/rank-0");
        String before = ChaosCluster.describe(troupe).epoch();
        String victim = ChaosCluster.player(troupe, "stage-0/rank-0");
        long pid = cluster.process(victim).pid();
        cluster.chaos()
                .inject(victim, new Fault.Poison(DEADLY))
                .toCompletableFuture()
                .get(1, TimeUnit.MINUTES);
        assertThat(Evidence.state(pid)).as("before the request").isNotEqualTo('X');

        Embedding disturbed = embed(troupe, pooling);

        assertThat(Evidence.state(pid)).as("it has computed the prompt").isEqualTo('X');
        assertThat(ChaosCluster.describe(troupe).epoch()).isNotEqualTo(before);
        cluster.makeWhole();
        Embedding undisturbed = embed(cluster.besides("scheduler"), pooling);
        assertThat(disturbed).isEqualTo(undisturbed);
        assertThat(disturbed.promptTokens()).isEqualTo(PROMPT);
    }
}
