package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HttpServerTest {
    private static final String COMPLETIONS = "/v1/completions";
    private static final int RUNNING = 20;
    private static final int WAITING_OF_ONE_KEY = 30;
    private static final int LARGEST_BODY = 64 * 1024;

    private static Served served;

    @BeforeAll
    static void start() throws Exception {
        served = Served.start(Map.of(
                "troupe.http.running", RUNNING,
                "troupe.http.waiting-per-key", WAITING_OF_ONE_KEY,
                "troupe.http.max-body", LARGEST_BODY));
    }

    @AfterAll
    static void end() {
        served.close();
    }

    private static String greedy(String prompt, int tokens, String more) {
        return "{\"model\": \"tales\", \"prompt\": \"%s\", \"max_tokens\": %d, \"temperature\": 0%s}"
                .formatted(prompt, tokens, more);
    }

    private static String text(HttpResponse<String> response) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return Served.json(response).at("/choices/0/text").textValue();
    }

    @Test
    void noRouteAnswersWithoutAKeyUnlessItIsOpen() throws Exception {
        for (Route route : served.server().routes()) {
            HttpRequest request = HttpRequest.newBuilder(served.uri(route.path().replace("{id}", "x")))
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
    void tokensDoNotDependOnWhoElseIsServed() throws Exception {
        List<String> names = List.of("Once upon a time", "Tom", "Lily and her mom", "The sun");
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            bodies.add(
                    "{\"model\": \"tales\", \"prompt\": \"%s\", \"max_tokens\": 24, \"temperature\": 0.9, \"seed\": %d}"
                            .formatted(names.get(i % names.size()), i));
        }
        List<String> alone = new ArrayList<>();
        for (String request : bodies) {
            alone.add(text(served.post(COMPLETIONS, request)));
        }

        List<String> together = new ArrayList<>();
        try (ExecutorService pool = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<String>> calls = bodies.stream()
                    .<Callable<String>>map(request -> () -> text(served.post(COMPLETIONS, request)))
                    .toList();
            for (Future<String> future : pool.invokeAll(calls)) {
                together.add(future.get());
            }
        }

        assertThat(together).isEqualTo(alone);
    }

    @Test
    void aClientThatHangsUpEndsItsGenerationUnlessItWantsToComeBack() throws Exception {
        for (boolean stream : new boolean[] {true, false}) {
            HttpRequest request = served.request(COMPLETIONS)
                    .POST(HttpRequest.BodyPublishers.ofString(
                            greedy("Once", 500, ", \"ignore_eos\": true, \"stream\": " + stream)))
                    .build();
            if (stream) {
                try (InputStream body = served.open(request).body()) {
                    assertThat(body.read()).isPositive();
                }
            } else {
                hangUp(greedy("Once", 500, ", \"ignore_eos\": true"));
            }

            Served.await("no generation runs, stream=" + stream, HttpServerTest::isIdle);
        }
    }

    /** Sends a request by hand, waits until it runs, and closes the connection. */
    private static void hangUp(String body) throws Exception {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        try (var socket =
                new java.net.Socket(served.uri("/").getHost(), served.uri("/").getPort())) {
            socket.getOutputStream()
                    .write(
                            "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                                    .formatted(COMPLETIONS, Served.KEY, bytes.length)
                                    .getBytes(StandardCharsets.UTF_8));
            socket.getOutputStream().write(bytes);
            socket.getOutputStream().flush();
            Served.await("it runs", () -> !isIdle());
        }
    }

    private static boolean isIdle() {
        try {
            JsonNode health = Served.json(served.get("/health"));
            return health.path("running").intValue() == 0
                    && health.path("running_sequences").intValue() == 0;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aResumableStreamGoesOnWithoutItsClientAndIsItsTenantsOwn() throws Exception {
        HttpRequest request = served.request(COMPLETIONS)
                .POST(HttpRequest.BodyPublishers.ofString(
                        greedy("Once", 60, ", \"ignore_eos\": true, \"stream\": true, \"resumable\": true")))
                .build();
        String first;
        try (InputStream body = served.open(request).body();
                BufferedReader lines = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8))) {
            first = lines.readLine().substring("id: ".length());
        }
        String path = "/v1/generations/" + first.substring(0, first.lastIndexOf(':'));

        HttpResponse<String> all = served.get(path);
        HttpResponse<String> rest = served.get(path + "?after=9");
        HttpResponse<String> byHeader = served.send(
                served.request(path).header("Last-Event-ID", first).GET().build());
        HttpResponse<String> stranger = served.send(HttpRequest.newBuilder(served.uri(path))
                .header("Authorization", "Bearer " + Served.OTHER_KEY)
                .build());

        assertThat(Served.data(all.body())).hasSize(60 + 2).endsWith("[DONE]");
        assertThat(Served.data(rest.body())).isEqualTo(Served.data(all.body()).subList(10, 62));
        assertThat(Served.data(byHeader.body()))
                .isEqualTo(Served.data(all.body()).subList(1, 62));
        assertThat(stranger.statusCode()).isEqualTo(404);
    }

    @Test
    void aStreamThatIsCancelledEndsWithAnErrorAndNotAsIfItWereDone() throws Exception {
        HttpRequest request = served.request(COMPLETIONS)
                .POST(HttpRequest.BodyPublishers.ofString(
                        greedy("Once", 500, ", \"ignore_eos\": true, \"stream\": true")))
                .build();
        List<String> lines = new ArrayList<>();
        try (InputStream body = served.open(request).body();
                BufferedReader reader = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8))) {
            String id = reader.readLine().substring("id: ".length());
            String path = "/v1/generations/" + id.substring(0, id.lastIndexOf(':'));

            HttpResponse<String> cancelled =
                    served.send(served.request(path).DELETE().build());

            assertThat(cancelled.statusCode()).isEqualTo(200);
            reader.lines().forEach(lines::add);
        }
        List<String> data = Served.data(String.join("\n", lines));
        assertThat(data).doesNotContain("[DONE]");
        assertThat(data.getLast()).contains("\"error\"", "the generation was cancelled");
    }

    @Test
    void moreThanMayWaitIsRefusedAtOnceAndWhatWaitsIsServed() throws Exception {
        try (ExecutorService pool = Executors.newVirtualThreadPerTaskExecutor()) {
            String many = greedy("Once", 200, ", \"ignore_eos\": true, \"n\": " + RUNNING);
            List<Future<HttpResponse<String>>> served = new ArrayList<>();
            served.add(pool.submit(() -> HttpServerTest.served.post(COMPLETIONS, many)));
            Served.await("it runs", () -> health("running") == RUNNING);
            String small = greedy("Once", 2, ", \"n\": " + WAITING_OF_ONE_KEY / 2);
            served.add(pool.submit(() -> HttpServerTest.served.post(COMPLETIONS, small)));
            served.add(pool.submit(() -> HttpServerTest.served.post(COMPLETIONS, small)));
            Served.await("two wait", () -> health("waiting") == WAITING_OF_ONE_KEY);

            HttpResponse<String> refused = HttpServerTest.served.post(COMPLETIONS, greedy("Once", 2, ""));

            assertThat(refused.statusCode()).isEqualTo(429);
            assertThat(refused.headers().firstValue("Retry-After")).isPresent();
            assertThat(refused.body()).contains("%d generations of yours wait".formatted(WAITING_OF_ONE_KEY));
            for (Future<HttpResponse<String>> future : served) {
                assertThat(future.get().statusCode()).isEqualTo(200);
            }
        }
    }

    private static int health(String field) {
        try {
            return Served.json(served.get("/health")).path(field).intValue();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aPrefixIsFoundByItsTenantAloneAndChangesNoToken() throws Exception {
        String prompt = "Tom had a red ball and a blue ball and a green ball. ".repeat(6);
        HttpResponse<String> first = served.post(COMPLETIONS, greedy(prompt, 12, ""));
        HttpResponse<String> again = served.post(COMPLETIONS, greedy(prompt, 12, ""));
        HttpResponse<String> salted = served.post(COMPLETIONS, greedy(prompt, 12, ", \"cache_salt\": \"x\""));
        HttpResponse<String> stranger = served.send(HttpRequest.newBuilder(served.uri(COMPLETIONS))
                .header("Authorization", "Bearer " + Served.OTHER_KEY)
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
        ServedModel model = new ServedModel("plain", null, null, 16, 16, 0);

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
