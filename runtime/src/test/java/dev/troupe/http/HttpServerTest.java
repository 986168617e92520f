package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HttpServerTest {
    private static final String COMPLETIONS = "/v1/completions";
    private static final int LARGEST_BODY = 64 * 1024;

    private static Served served;

    @BeforeAll
    static void start() throws Exception {
        served = Served.start(Map.of("troupe.http.max-body", LARGEST_BODY));
    }

    @AfterAll
    static void end() {
        served.close();
    }

    static String greedy(String prompt, int tokens, String more) {
        return "{\"model\": \"tales\", \"prompt\": \"%s\", \"max_tokens\": %d, \"temperature\": 0%s}"
                .formatted(prompt, tokens, more);
    }

    static String text(HttpResponse<String> response) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return Served.json(response).at("/choices/0/text").textValue();
    }

    @Test
    void noRouteAnswersWithoutAKeyUnlessItIsOpen() throws Exception {
        for (Route route : served.server().routes()) {
            HttpRequest request = HttpRequest.newBuilder(
                            served.uri(route.path().replace("{id}", "x").replace("{path}", "x")))
                    .method(
                            route.method(),
                            route.method().equals("POST")
                                    ? HttpRequest.BodyPublishers.ofString("{}")
                                    : HttpRequest.BodyPublishers.noBody())
                    .build();

            int status = served.send(request).statusCode();

            if (route.access() == Route.Access.ANYBODY) {
                assertThat(status).as(route.toString()).isIn(200, 503);
            } else {
                assertThat(status).as(route.toString()).isEqualTo(401);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/page", "/v1", "/v1/nothing", "/v1/completions/", "/V1/models", "/metrics/x"})
    void whatIsNoRouteIsDeniedLikeOne(String path) throws Exception {
        HttpRequest stranger = HttpRequest.newBuilder(served.uri(path)).build();

        assertThat(served.send(stranger).statusCode()).isEqualTo(401);
        assertThat(served.get(path).statusCode()).isEqualTo(404);
    }

    @Test
    void anotherMethodOfARouteIsRefusedByName() throws Exception {
        HttpResponse<String> response = served.get(COMPLETIONS);

        assertThat(response.statusCode()).isEqualTo(405);
        assertThat(response.body()).contains("GET does not work here; POST does");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "temperature | 7 | temperature=7, expected a number from 0 to 2",
                "temperature | \"hot\" | temperature=a string of 3 characters, expected a number from 0 to 2",
                "top_p | 0 | top_p=0, expected a number from",
                "n | 1000 | n=1000, expected a whole number from 1 to 128",
                "n | 1.5 | n=1.5, expected a whole number from 1 to 128",
                "max_tokens | 0 | max_tokens=0, expected a whole number from 1",
                "max_tokens | 100000 | expected at most 512 together",
                "logprobs | 21 | logprobs=21, expected a whole number from 0 to 20",
                "stop | [\"\"] | stop holds a string of 0 characters, expected 1 to",
                "logit_bias | {\"99999999\": 1} | logit_bias has an id that is not 0 to",
                "logit_bias | {\"5\": 101} | logit_bias of token 5, expected a number from -100 to 100",
                "best_of | 3 | best_of=3 with n=1",
                "suffix | \"x\" | suffix=a string of 1 characters does not work here",
                "stream_options | {} | stream_options is for stream=true only",
                "tempratur | 1 | tempratur is no parameter of this request; these are: best_of, cache_salt",
            })
    void aValueThatIsWrongIsNamed(String field, String value, String message) throws Exception {
        String more = field.equals("best_of") ? ", \"stream\": true" : "";

        HttpResponse<String> response = served.post(
                COMPLETIONS,
                "{\"model\": \"tales\", \"prompt\": \"Once\", \"%s\": %s%s}".formatted(field, value, more));

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(Served.json(response).at("/error/message").textValue()).contains(message);
        assertThat(Served.json(response).at("/error/type").textValue()).isEqualTo("invalid_request_error");
        assertThat(Served.json(response).at("/error/param").textValue()).isEqualTo(field);
    }

    @Test
    void anotherModelIsNotFoundAndTheServedOneNamed() throws Exception {
        HttpResponse<String> response = served.post(COMPLETIONS, "{\"model\": \"gpt-9\", \"prompt\": \"x\"}");

        assertThat(response.statusCode()).isEqualTo(404);
        assertThat(response.body()).contains("model_not_found", "this one is: tales");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "{\"model\": ", "{\"a\": 1, \"a\": 2}", "{} {}", "nonsense"})
    void whatIsNoObjectIsRefusedWithoutBeingRepeated(String body) throws Exception {
        HttpResponse<String> response = served.post(COMPLETIONS, body);

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(response.body()).doesNotContain("nonsense");
    }

    @Test
    void aBodyThatIsTooDeepOrTooLargeIsRefused() throws Exception {
        String deep = "{\"a\": " + "[".repeat(1000) + "]".repeat(1000) + "}";

        assertThat(served.post(COMPLETIONS, deep).statusCode()).isEqualTo(400);
        assertThat(served.post(COMPLETIONS, "x".repeat(LARGEST_BODY + 1)).statusCode())
                .isEqualTo(413);
    }

    @Test
    void aCompressedBodyIsRefused() throws Exception {
        HttpRequest request = served.request(COMPLETIONS)
                .header("Content-Encoding", "gzip")
                .POST(HttpRequest.BodyPublishers.ofString(greedy("Once", 1, "")))
                .build();

        assertThat(served.send(request).statusCode()).isEqualTo(400);
    }

    @Test
    void aStreamSaysWhatAWholeAnswerSays() throws Exception {
        String whole = text(served.post(COMPLETIONS, greedy("Once upon a time", 30, "")));

        HttpResponse<String> stream = served.post(
                COMPLETIONS,
                greedy("Once upon a time", 30, ", \"stream\": true, \"stream_options\": {\"include_usage\": true}"));

        List<String> data = Served.data(stream.body());
        StringBuilder told = new StringBuilder();
        for (String chunk : data.subList(0, data.size() - 2)) {
            told.append(Served.JSON.readTree(chunk).at("/choices/0/text").textValue());
        }
        assertThat(stream.headers().firstValue("Content-Type").orElse("")).startsWith("text/event-stream");
        assertThat(told.toString()).isEqualTo(whole);
        assertThat(data.getLast()).isEqualTo("[DONE]");
        JsonNode usage = Served.JSON.readTree(data.get(data.size() - 2)).path("usage");
        assertThat(usage.path("completion_tokens").intValue()).isEqualTo(30);
        assertThat(usage.path("total_tokens").intValue())
                .isEqualTo(30 + usage.path("prompt_tokens").intValue());
        assertThat(Served.ids(stream.body())).doesNotHaveDuplicates().hasSameSizeAs(data);
    }

    @Test
    void tokensArePromptsTooAndTextAndTokensSayTheSame() throws Exception {
        JsonNode tokens = Served.json(served.post("/tokenize", "{\"prompt\": \"Once upon a time\"}"))
                .path("tokens");

        String byTokens = text(served.post(
                COMPLETIONS,
                "{\"model\": \"tales\", \"prompt\": %s, \"max_tokens\": 12, \"temperature\": 0}".formatted(tokens)));
        HttpResponse<String> back = served.post("/detokenize", "{\"tokens\": %s}".formatted(tokens));

        assertThat(byTokens).isEqualTo(text(served.post(COMPLETIONS, greedy("Once upon a time", 12, ""))));
        assertThat(Served.json(back).path("prompt").textValue()).isEqualTo("Once upon a time");
    }

    @Test
    void severalPromptsAndChoicesStandInOrder() throws Exception {
        HttpResponse<String> response = served.post(
                COMPLETIONS,
                "{\"model\": \"tales\", \"prompt\": [\"Once\", \"Tom\"], \"n\": 2, \"max_tokens\": 8, \"temperature\": 0, \"echo\": true}");

        JsonNode choices = Served.json(response).path("choices");
        assertThat(choices).hasSize(4);
        for (int i = 0; i < 4; i++) {
            assertThat(choices.get(i).path("index").intValue()).isEqualTo(i);
            assertThat(choices.get(i).path("text").textValue()).startsWith(i < 2 ? "Once" : "Tom");
        }
    }

    @Test
    void theBestOfSeveralIsTheMostProbable() throws Exception {
        JsonNode all = Served.json(served.post(COMPLETIONS, eightTokens("\"n\": 4")));
        List<Double> sums = new ArrayList<>();
        for (JsonNode choice : all.path("choices")) {
            double sum = 0;
            for (JsonNode logprob : choice.at("/logprobs/token_logprobs")) {
                sum += logprob.doubleValue();
            }
            sums.add(sum / choice.at("/logprobs/token_logprobs").size());
        }
        int best = sums.indexOf(sums.stream().max(Double::compare).orElseThrow());

        JsonNode one = Served.json(served.post(COMPLETIONS, eightTokens("\"best_of\": 4")));

        assertThat(one.path("choices")).hasSize(1);
        assertThat(one.at("/choices/0/text"))
                .isEqualTo(all.path("choices").get(best).path("text"));
    }

    private static String eightTokens(String more) {
        return "{\"model\": \"tales\", \"prompt\": \"Once\", \"max_tokens\": 8, \"seed\": 5, \"logprobs\": 0, %s}"
                .formatted(more);
    }

    @Test
    void aPrefixIsFoundByItsTenantAloneAndChangesNoToken() throws Exception {
        String prompt = "Tom had a red ball and a blue ball and a green ball. ".repeat(6);
        HttpResponse<String> first = served.post(COMPLETIONS, greedy(prompt, 12, ""));
        HttpResponse<String> again = served.post(COMPLETIONS, greedy(prompt, 12, ""));
        HttpResponse<String> salted = served.post(COMPLETIONS, greedy(prompt, 12, ", \"cache_salt\": \"x\""));
        HttpResponse<String> stranger = served.send(HttpRequest.newBuilder(served.uri(COMPLETIONS))
                .header("Authorization", "Bearer " + Served.OTHER_KEY)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(greedy(prompt, 12, "")))
                .build());

        assertThat(List.of(text(again), text(salted), text(stranger))).containsOnly(text(first));
        assertThat(cached(first)).isZero();
        assertThat(cached(again)).isPositive();
        assertThat(cached(salted)).isZero();
        assertThat(cached(stranger)).isZero();
    }

    private static int cached(HttpResponse<String> response) {
        return Served.json(response)
                .at("/usage/prompt_tokens_details/cached_tokens")
                .intValue();
    }

    @Test
    void aCompletionHasTheFormThatWasAskedFor() throws Exception {
        String schema =
                "{\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\", \"maxLength\": 8}, \"age\": {\"type\": \"integer\"}}, \"required\": [\"name\", \"age\"], \"additionalProperties\": false}";

        String digits =
                text(served.post(COMPLETIONS, greedy("Once", 40, ", \"guided_regex\": \"[0-9]{3}-[a-c]{1,5}d\"")));
        String choice = text(served.post(COMPLETIONS, greedy("Once", 40, ", \"guided_choice\": [\"cat\", \"dog\"]")));
        HttpResponse<String> json = formatted(schema);
        HttpResponse<String> refused = formatted("{\"type\": \"integer\", \"minimum\": 3}");

        assertThat(digits).matches("[0-9]{3}-[a-c]{1,5}d");
        assertThat(choice).isIn("cat", "dog");
        assertThat(Served.json(json).at("/choices/0/finish_reason").textValue()).isEqualTo("stop");
        JsonNode answer = Served.JSON.readTree(
                Served.json(json).at("/choices/0/message/content").textValue());
        assertThat(answer.path("name").isTextual()).isTrue();
        assertThat(answer.path("age").isIntegralNumber()).isTrue();
        assertThat(refused.statusCode()).isEqualTo(400);
        assertThat(refused.body()).contains("minimum");
    }

    private static HttpResponse<String> formatted(String schema) throws Exception {
        return served.post("/v1/chat/completions", """
                {"model": "tales", "messages": [{"role": "user", "content": "Once"}], "max_tokens": 200, "seed": 3,
                 "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": %s}}}
                """.formatted(schema));
    }

    @Test
    void aModelWithoutAChatTemplateTakesNoMessages() {
        ServedModel model = new ServedModel("plain", null, null, 16, 16, 8, 0);

        assertThatThrownBy(() -> model.chat(Served.JSON.createArrayNode(), List.of()))
                .isInstanceOfSatisfying(
                        ApiError.class, error -> assertThat(error.status()).isEqualTo(400))
                .hasMessageContaining("model plain has no chat template");
    }

    @Test
    void saysHowItIs() throws Exception {
        served.post(COMPLETIONS, greedy("Once", 4, ""));

        assertThat(served.get("/livez").statusCode()).isEqualTo(200);
        assertThat(served.get("/readyz").body()).isEqualTo("ready\n");
        assertThat(Served.json(served.get("/health")).path("status").textValue())
                .isEqualTo("ok");
        assertThat(served.get("/metrics").body())
                .contains(
                        "troupe_first_token_seconds_bucket",
                        "troupe_kv_blocks ",
                        "troupe_stage_compute_seconds{stage=\"0\"}");
    }
}
