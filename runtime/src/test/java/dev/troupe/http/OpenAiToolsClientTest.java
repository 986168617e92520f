package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionMessageFunctionToolCall;
import com.openai.models.chat.completions.ChatCompletionToolChoiceOption;
import com.openai.models.chat.completions.ChatCompletionToolMessageParam;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The official client of the API calls a tool and tells its result. */
class OpenAiToolsClientTest {
    private static Served served;
    private static OpenAIClient client;

    @BeforeAll
    static void start() throws Exception {
        served = Served.start(Map.of());
        client = OpenAIOkHttpClient.builder()
                .baseUrl(served.uri("/v1").toString())
                .apiKey(Served.KEY)
                .maxRetries(0)
                .build();
    }

    @AfterAll
    static void end() {
        client.close();
        served.close();
    }

    private static ChatCompletionCreateParams.Builder chat() {
        FunctionParameters parameters = FunctionParameters.builder()
                .putAdditionalProperty("type", JsonValue.from("object"))
                .putAdditionalProperty(
                        "properties", JsonValue.from(Map.of("animal", Map.of("enum", List.of("cat", "dog")))))
                .putAdditionalProperty("required", JsonValue.from(List.of("animal")))
                .putAdditionalProperty("additionalProperties", JsonValue.from(false))
                .build();
        return ChatCompletionCreateParams.builder()
                .model("tales")
                .addUserMessage("The cat is hungry.")
                .addFunctionTool(FunctionDefinition.builder()
                        .name("feed")
                        .description("Feeds an animal.")
                        .strict(true)
                        .parameters(parameters)
                        .build())
                .toolChoice(ChatCompletionToolChoiceOption.Auto.REQUIRED)
                .parallelToolCalls(false)
                .temperature(0.0);
    }

    private static ChatCompletionMessageFunctionToolCall onlyCall(ChatCompletion completion) {
        ChatCompletion.Choice choice = completion.choices().getFirst();
        assertThat(choice.finishReason()).isEqualTo(ChatCompletion.Choice.FinishReason.TOOL_CALLS);
        assertThat(choice.message().content()).isEmpty();
        assertThat(choice.message().toolCalls().orElseThrow()).hasSize(1);
        return choice.message().toolCalls().orElseThrow().getFirst().asFunction();
    }

    @Test
    void callsAToolAndGoesOnWithItsResult() throws Exception {
        ChatCompletion completion = client.chat().completions().create(chat().build());

        ChatCompletionMessageFunctionToolCall call = onlyCall(completion);
        assertThat(call.function().name()).isEqualTo("feed");
        assertThat(Served.JSON
                        .readTree(call.function().arguments())
                        .path("animal")
                        .asText())
                .isIn("cat", "dog");

        ChatCompletion second = client.chat()
                .completions()
                .create(chat().addMessage(completion.choices().getFirst().message())
                        .addMessage(ChatCompletionToolMessageParam.builder()
                                .toolCallId(call.id())
                                .content("It has eaten.")
                                .build())
                        .toolChoice(ChatCompletionToolChoiceOption.Auto.AUTO)
                        .maxCompletionTokens(20)
                        .build());

        assertThat(second.choices().getFirst().message().content().orElseThrow())
                .hasSizeGreaterThan(20);
        assertThat(second.usage().orElseThrow().promptTokens())
                .isGreaterThan(completion.usage().orElseThrow().promptTokens());
    }

    @Test
    void aStreamBecomesTheSameCall() {
        ChatCompletionMessageFunctionToolCall whole =
                onlyCall(client.chat().completions().create(chat().build()));

        ChatCompletionAccumulator accumulator = ChatCompletionAccumulator.create();
        try (StreamResponse<ChatCompletionChunk> stream =
                client.chat().completions().createStreaming(chat().build())) {
            stream.stream().forEach(accumulator::accumulate);
        }

        ChatCompletionMessageFunctionToolCall streamed = onlyCall(accumulator.chatCompletion());
        assertThat(streamed.function().name()).isEqualTo(whole.function().name());
        assertThat(streamed.function().arguments()).isEqualTo(whole.function().arguments());
        assertThat(streamed.id()).startsWith("call_");
    }
}
