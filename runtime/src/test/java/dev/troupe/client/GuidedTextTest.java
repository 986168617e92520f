package dev.troupe.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.troupe.node.LocalTroupe;
import dev.troupe.node.ModelLocation;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.serving.FinishReason;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A story teller that is made to write something else, by two stages of two ranks. */
class GuidedTextTest {
    private static final GuideSpec CHARACTER = new GuideSpec(GuideSpec.Kind.JSON_SCHEMA, """
            {"type":"object","properties":{"name":{"type":"string","maxLength":12},"age":{"type":"integer"},
             "mood":{"enum":["happy","sad"]},"friends":{"type":"array","items":{"type":"string","pattern":"^[A-Z][a-z]{2,6}$"},
             "minItems":1,"maxItems":3}},"required":["name","age","mood","friends"],"additionalProperties":false}""");

    @Test
    void writesWhatTheGuideSays() throws Exception {
        Path tales = Path.of("src", "main", "models", "tales").toAbsolutePath();
        try (Troupe troupe = LocalTroupe.start(ModelLocation.of(tales.toString()), 2, 2)) {
            for (int seed = 0; seed < 4; seed++) {
                Completion completion = complete(troupe, request(seed, CHARACTER));

                JsonNode written = new ObjectMapper().readTree(completion.text());
                assertThat(completion.choices().getFirst().reason()).isEqualTo(FinishReason.STOP);
                assertThat(written.properties().stream().map(Map.Entry::getKey))
                        .containsExactly("name", "age", "mood", "friends");
                assertThat(written.get("age").isIntegralNumber()).isTrue();
                assertThat(written.get("mood").asText()).isIn("happy", "sad");
                assertThat(written.get("friends"))
                        .isNotEmpty()
                        .allSatisfy(friend -> assertThat(friend.asText()).matches("[A-Z][a-z]{2,6}"));
            }
            GuideSpec choice = new GuideSpec(GuideSpec.Kind.CHOICE, "[\" happy.\",\" sad.\"]");
            assertThat(complete(troupe, request(0, choice)).text()).isIn(" happy.", " sad.");
            GuideSpec malformed = new GuideSpec(GuideSpec.Kind.REGEX, "a(");
            assertThatThrownBy(() -> complete(troupe, request(0, malformed)))
                    .hasCauseInstanceOf(RequestFailedException.class)
                    .hasMessageContaining("regular expression, position 1: this group is not closed");
        }
    }

    private static Completion complete(Troupe troupe, TextRequest request) throws Exception {
        return troupe.complete(request).toCompletableFuture().get(5, TimeUnit.MINUTES);
    }

    private static TextRequest request(int seed, GuideSpec guide) {
        SamplingParameters sampling =
                new SamplingParameters(seed % 2 == 0 ? 0 : 1, 0, 1, 0, 1, 0, 0, Map.of(), seed, -1, guide);
        return TextRequest.greedy("Once upon a time", 300).withSampling(sampling);
    }
}
