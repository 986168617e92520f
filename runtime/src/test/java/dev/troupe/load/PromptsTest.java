package dev.troupe.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class PromptsTest {
    @Test
    void drawnPromptsHaveTheirBeginningInCommonAndNoMore() {
        Prompts prompts = new Prompts.Drawn(100, 40, 500, false, 7);

        List<JsonNode> drawn =
                LongStream.range(-2, 20).mapToObj(prompts::prompt).toList();

        assertThat(drawn).doesNotHaveDuplicates().allSatisfy(prompt -> {
            assertThat(prompt)
                    .hasSize(100)
                    .allSatisfy(id -> assertThat(id.intValue()).isBetween(0, 499));
            for (int i = 0; i < 40; i++) {
                assertThat(prompt.get(i)).isEqualTo(drawn.getFirst().get(i));
            }
        });
        assertThat(drawn.stream().map(prompt -> prompt.get(40)).distinct().count())
                .isGreaterThan(1);
    }

    @Test
    void theSameSeedDrawsTheSamePrompts() {
        assertThat(new Prompts.Drawn(10, 0, 500, false, 7).prompt(3))
                .isEqualTo(new Prompts.Drawn(10, 0, 500, false, 7).prompt(3))
                .isNotEqualTo(new Prompts.Drawn(10, 0, 500, false, 8).prompt(3));
    }

    @Test
    void asTextThereAreAsManyWords() {
        assertThat(new Prompts.Drawn(12, 3, 500, true, 1).prompt(0).textValue().split(" "))
                .hasSize(12);
    }

    @Test
    void whatCannotBeDrawnIsRefused() {
        assertThatThrownBy(() -> new Prompts.Drawn(0, 0, 500, false, 1)).hasMessageStartingWith("--prompt-tokens 0");
        assertThatThrownBy(() -> new Prompts.Drawn(5, 0, 1, false, 1)).hasMessageStartingWith("--vocabulary 1");
        assertThatThrownBy(() -> new Prompts.Text("")).hasMessageStartingWith("--prompt is empty");
    }
}
