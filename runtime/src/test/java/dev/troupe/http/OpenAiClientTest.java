package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.errors.UnauthorizedException;
import com.openai.models.completions.Completion;
import com.openai.models.completions.CompletionCreateParams;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The official client of the API, as it is, against a server. */
class OpenAiClientTest {
    private static Served served;
    private static OpenAIClient client;

    @BeforeAll
    static void start() throws Exception {
        served = Served.start(Map.of());
        client = client(Served.KEY);
    }

    private static OpenAIClient client(String key) {
        return OpenAIOkHttpClient.builder()
                .baseUrl(served.uri("/v1").toString())
                .apiKey(key)
                .maxRetries(0)
                .build();
    }

    @AfterAll
    static void end() {
        client.close();
        served.close();
    }

    private static CompletionCreateParams story(double temperature) {
        return CompletionCreateParams.builder()
                .model("tales")
                .prompt("Once upon a time")
                .maxTokens(20)
                .temperature(temperature)
                .logprobs(2)
                .build();
    }

    @Test
    void listsModels() {
        assertThat(client.models().list().data())
                .singleElement()
                .satisfies(model -> assertThat(model.id()).isEqualTo("tales"));
    }

    @Test
    void completesAndStreamsTheSame() {
        Completion whole = client.completions().create(story(0));

        String streamed;
        try (StreamResponse<Completion> stream = client.completions().createStreaming(story(0))) {
            streamed = stream.stream()
                    .map(chunk -> chunk.choices().getFirst().text())
                    .collect(Collectors.joining());
        }

        assertThat(whole.choices().getFirst().text()).isEqualTo(streamed).hasSizeGreaterThan(20);
        assertThat(whole.choices().getFirst().finishReason().toString()).isEqualTo("length");
        assertThat(whole.choices().getFirst().logprobs().orElseThrow().tokens().orElseThrow())
                .hasSize(20);
        assertThat(whole.usage().orElseThrow().completionTokens()).isEqualTo(20);
    }

    @Test
    void understandsErrors() {
        assertThatThrownBy(() -> client.completions().create(story(9)))
                .isInstanceOf(BadRequestException.class)
                .hasMessageContaining("temperature=9");
        assertThatThrownBy(() -> client.completions()
                        .create(story(0).toBuilder().model("other").build()))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining("tales");
        OpenAIClient stranger = client("a-key-that-nobody-has");
        assertThatThrownBy(() -> stranger.models().list()).isInstanceOf(UnauthorizedException.class);
        stranger.close();
    }
}
