package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.errors.UnauthorizedException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.completions.Completion;
import com.openai.models.completions.CompletionCreateParams;
import com.openai.models.embeddings.CreateEmbeddingResponse;
import com.openai.models.embeddings.EmbeddingCreateParams;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The official client of the API, as it is, against a server. */
class OpenAiClientTest {
    @TempDir
    private static Path directory;

    private static Served served;
    private static OpenAIClient client;

    @BeforeAll
    static void start() throws Exception {
        Path template = directory.resolve("template.jinja");
        Files.writeString(
                template,
                "{%- for m in messages -%}{{ '' if m.role == 'system' else m.content }} {% endfor -%}"
                        + "{%- if messages[-1].role == 'assistant' %}{{ raise_exception('the last message is no question') }}{% endif -%}");
        served = Served.start(Map.of("troupe.http.chat-template", template.toString()));
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
    void embedsTextsAndTokens() {
        EmbeddingCreateParams.Builder texts = EmbeddingCreateParams.builder()
                .model("tales")
                .inputOfArrayOfStrings(List.of("Once upon a time", "Tom"));

        CreateEmbeddingResponse asItLikes = client.embeddings().create(texts.build());
        CreateEmbeddingResponse numbers = client.embeddings()
                .create(texts.encodingFormat(EmbeddingCreateParams.EncodingFormat.FLOAT)
                        .build());
        CreateEmbeddingResponse few = client.embeddings()
                .create(EmbeddingCreateParams.builder()
                        .model("tales")
                        .inputOfArrayOfTokens(List.of(2046L, 421L))
                        .dimensions(16)
                        .build());

        assertThat(asItLikes.data()).hasSize(2);
        assertThat(values(asItLikes, 0))
                .hasSize(128)
                .isEqualTo(values(numbers, 0))
                .isNotEqualTo(values(asItLikes, 1));
        assertThat(values(few, 0)).hasSize(16);
        assertThat(few.usage().promptTokens()).isEqualTo(2);
    }

    private static List<Float> values(CreateEmbeddingResponse response, int index) {
        return response.data().get(index).embedding().stream()
                .map(Number::floatValue)
                .toList();
    }

    @Test
    void scoresAPromptWithoutACompletion() {
        Completion scored = client.completions()
                .create(CompletionCreateParams.builder()
                        .model("tales")
                        .prompt("Once upon a time")
                        .echo(true)
                        .logprobs(1)
                        .maxTokens(0)
                        .build());

        var logprobs = scored.choices().getFirst().logprobs().orElseThrow();
        assertThat(scored.choices().getFirst().text()).isEqualTo("Once upon a time");
        assertThat(logprobs.tokens().orElseThrow())
                .hasSize((int) scored.usage().orElseThrow().promptTokens());
        assertThat(scored.usage().orElseThrow().completionTokens()).isZero();
    }

    private static ChatCompletionCreateParams.Builder chat() {
        return ChatCompletionCreateParams.builder()
                .model("tales")
                .addSystemMessage("You tell stories.")
                .addUserMessage("Once upon a time")
                .maxCompletionTokens(20)
                .temperature(0.0);
    }

    @Test
    void chatsAndStreamsTheSame() {
        ChatCompletion whole = client.chat()
                .completions()
                .create(chat().logprobs(true).topLogprobs(2).build());

        String streamed;
        try (StreamResponse<ChatCompletionChunk> stream =
                client.chat().completions().createStreaming(chat().build())) {
            streamed = stream.stream()
                    .flatMap(chunk -> chunk.choices().stream())
                    .map(choice -> choice.delta().content().orElse(""))
                    .collect(Collectors.joining());
        }

        ChatCompletion.Choice choice = whole.choices().getFirst();
        assertThat(choice.message().content().orElseThrow()).isEqualTo(streamed).hasSizeGreaterThan(20);
        assertThat(choice.finishReason().toString()).isEqualTo("length");
        assertThat(choice.logprobs().orElseThrow().content().orElseThrow()).hasSize(20);
    }

    @Test
    void hearsWhyATemplateRefusesMessages() {
        assertThatThrownBy(() -> client.chat()
                        .completions()
                        .create(chat().addAssistantMessage("So?").build()))
                .isInstanceOf(BadRequestException.class)
                .hasMessageContaining("the last message is no question");
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
