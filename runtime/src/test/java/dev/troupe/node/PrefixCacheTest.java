package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.troupe.client.Completion;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.weights.LoadProgress;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Requests that begin alike, from a client's side. */
class PrefixCacheTest {
    private static final int BLOCK = 16;

    private static NodeConfig config(int stages, int ranks, String kept) {
        return NodeConfig.of(ConfigFactory.parseMap(Map.of(
                "troupe.models",
                Map.of("tales", Path.of("src", "main", "models", "tales").toString()),
                "troupe.device.threads",
                1,
                "troupe.kv.block-size",
                BLOCK,
                "troupe.replica.pipeline-parallel",
                stages,
                "troupe.replica.tensor-parallel",
                ranks,
                "troupe.scheduler.prefix-cache",
                kept)));
    }

    private static TextRequest request(String prompt) {
        return TextRequest.greedy(prompt, 12)
                .withSampling(new SamplingParameters(0.9f, 0, 0.95f, 0, 1.1f, 0, 0, Map.of(), 5, 3))
                .withIgnoreEos(true);
    }

    private static final String STORY = "Once upon a time there was a little girl who had a big red ball. "
            + "She took it to the park every day and played with her friends. One day";

    private static Completion complete(Troupe troupe, TextRequest request) throws Exception {
        return troupe.complete(request).toCompletableFuture().get(TestNodes.MINUTES, TimeUnit.MINUTES);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "2, 2"})
    void computesWhatIsNewAndGivesTheSameTokensAndLogits(int stages, int ranks) throws Exception {
        try (Troupe troupe = LocalTroupe.start(config(stages, ranks, "on"), LoadProgress.NONE)) {
            Completion first = complete(troupe, request(STORY));
            Completion again = complete(troupe, request(STORY));
            Completion salted = complete(troupe, request(STORY).withCacheSalt("tenant"));
            Completion longer = complete(troupe, request(STORY + first.text() + " The end of it was"));
            Completion several = complete(troupe, request(STORY).withChoices(3));

            int prompt = first.prompt().size();
            assertThat(first.usage().promptTokens()).isEqualTo(prompt);
            assertThat(first.usage().completionTokens()).isEqualTo(12);
            assertThat(first.usage().cachedTokens()).isZero();
            assertThat(again.usage().cachedTokens())
                    .isEqualTo((prompt - 1) / BLOCK * BLOCK)
                    .isPositive();
            assertThat(salted.usage().cachedTokens()).isZero();
            assertThat(longer.usage().cachedTokens()).isPositive();
            assertThat(several.usage().cachedTokens()).isEqualTo(again.usage().cachedTokens());
            assertThat(again.hash()).isEqualTo(first.hash()).isEqualTo(salted.hash());
            assertThat(several.choices().getFirst().hash()).isEqualTo(first.hash());
        }
    }

    @Test
    void isOffWhereItIsToldSo() throws Exception {
        try (Troupe troupe = LocalTroupe.start(config(1, 1, "off"), LoadProgress.NONE)) {
            Completion first = complete(troupe, request(STORY));
            Completion again = complete(troupe, request(STORY));

            assertThat(again.usage().cachedTokens()).isZero();
            assertThat(again.hash()).isEqualTo(first.hash());
        }
    }
}
