package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** How probable a prompt was, token by token: what evaluation harnesses ask for. */
class EchoedLogprobsTest {
    private static final String COMPLETIONS = "/v1/completions";

    private static Served served;

    @BeforeAll
    static void start() throws Exception {
        served = Served.start(Map.of());
    }

    @AfterAll
    static void end() {
        served.close();
    }

    private static String body(String prompt, int tokens, String more) {
        return "{\"model\": \"tales\", \"prompt\": %s, \"max_tokens\": %d, \"temperature\": 0, \"echo\": true%s}"
                .formatted(prompt, tokens, more);
    }

    private static JsonNode choice(Served server, String body) throws Exception {
        HttpResponse<String> response = server.post(COMPLETIONS, body);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return Served.json(response).at("/choices/0");
    }

    private static List<JsonNode> list(JsonNode array) {
        List<JsonNode> elements = new ArrayList<>();
        array.forEach(elements::add);
        return elements;
    }

    private static JsonNode golden() throws Exception {
        return Served.JSON.readTree(Files.readString(Path.of("src", "main", "models", "tales", "golden.json")));
    }

    @Test
    void areThoseOfTheIndependentLogits() throws Exception {
        JsonNode golden = golden();
        JsonNode ids = golden.path("input_ids");

        JsonNode logprobs =
                choice(served, body(ids.toString(), 0, ", \"logprobs\": 1")).path("logprobs");

        assertThat(logprobs.path("token_logprobs")).hasSameSizeAs(ids);
        assertThat(logprobs.at("/token_logprobs/0").isNull()).isTrue();
        assertThat(logprobs.at("/top_logprobs/0").isNull()).isTrue();
        for (int i = 0; i + 1 < golden.path("positions").size(); i++) {
            int position = golden.at("/positions/" + i).intValue();
            List<JsonNode> logits = list(golden.at("/logits/" + i));
            double most =
                    logits.stream().mapToDouble(JsonNode::doubleValue).max().orElseThrow();
            double sum = logits.stream()
                    .mapToDouble(logit -> Math.exp(logit.doubleValue() - most))
                    .sum();
            double own = logits.get(ids.get(position + 1).intValue()).doubleValue() - most - Math.log(sum);
            assertThat(logprobs.at("/token_logprobs/" + (position + 1)).doubleValue())
                    .as("position %d", position + 1)
                    .isCloseTo(own, within(0.02));
            assertThat(logprobs.at("/top_logprobs/" + (position + 1))
                            .iterator()
                            .next()
                            .doubleValue())
                    .isCloseTo(-Math.log(sum), within(0.02));
        }
    }

    @Test
    void ofAnEchoedCompletionAreThoseItsTokensWereDrawnWith() throws Exception {
        JsonNode drawn = Served.json(
                served.post(
                        COMPLETIONS,
                        "{\"model\": \"tales\", \"prompt\": \"Once upon a time\", \"max_tokens\": 12, \"temperature\": 0, \"logprobs\": 2}"));
        JsonNode prompt = Served.json(served.post("/tokenize", "{\"prompt\": \"Once upon a time\"}"))
                .path("tokens");
        String whole = "Once upon a time" + drawn.at("/choices/0/text").textValue();
        JsonNode all = Served.json(served.post(
                        "/tokenize",
                        Served.JSON.createObjectNode().put("prompt", whole).toString()))
                .path("tokens");
        assertThat(all).as("the text has the tokens that were drawn").hasSize(prompt.size() + 12);

        JsonNode echoed = choice(served, body(all.toString(), 0, ", \"logprobs\": 2"));

        JsonNode logprobs = echoed.path("logprobs");
        for (String part : List.of("tokens", "token_logprobs", "top_logprobs")) {
            assertThat(list(logprobs.path(part)).subList(prompt.size(), all.size()))
                    .as(part)
                    .isEqualTo(list(drawn.at("/choices/0/logprobs/" + part)));
        }
        assertThat(echoed.path("text").textValue()).isEqualTo(whole);
        assertThat(echoed.path("finish_reason").textValue()).isEqualTo("length");
    }

    @Test
    void standBeforeThoseOfTheCompletionWithOffsetsIntoTheWholeText() throws Exception {
        JsonNode alone = choice(served, body("\"Once upon a time\"", 0, ", \"logprobs\": 0"));

        JsonNode both = choice(served, body("\"Once upon a time\"", 6, ", \"logprobs\": 0"));

        int prompt = alone.at("/logprobs/tokens").size();
        String text = both.path("text").textValue();
        assertThat(text).startsWith("Once upon a time").hasSizeGreaterThan("Once upon a time".length());
        assertThat(both.at("/logprobs/token_logprobs")).hasSize(prompt + 6);
        assertThat(list(both.at("/logprobs/token_logprobs")).subList(0, prompt))
                .isEqualTo(list(alone.at("/logprobs/token_logprobs")));
        for (int i = 0; i < prompt + 6; i++) {
            String token = both.at("/logprobs/tokens/" + i).textValue();
            assertThat(text.substring(both.at("/logprobs/text_offset/" + i).intValue()))
                    .as("token %d", i)
                    .startsWith(token);
        }
    }

    @Test
    void areTheSameInAStream() throws Exception {
        JsonNode whole = choice(served, body("\"Once upon a time\"", 5, ", \"logprobs\": 3"));

        for (int tokens : new int[] {5, 0}) {
            HttpResponse<String> stream = served.post(
                    COMPLETIONS, body("\"Once upon a time\"", tokens, ", \"logprobs\": 3, \"stream\": true"));

            List<String> data = Served.data(stream.body());
            assertThat(data.getLast()).isEqualTo("[DONE]");
            StringBuilder text = new StringBuilder();
            List<JsonNode> logprobs = new ArrayList<>();
            List<JsonNode> offsets = new ArrayList<>();
            for (String chunk : data.subList(0, data.size() - 1)) {
                JsonNode choice = Served.JSON.readTree(chunk).at("/choices/0");
                text.append(choice.path("text").textValue());
                logprobs.addAll(list(choice.at("/logprobs/token_logprobs")));
                offsets.addAll(list(choice.at("/logprobs/text_offset")));
            }
            int prompt = whole.at("/logprobs/token_logprobs").size() - 5;
            assertThat(whole.path("text").textValue()).startsWith(text.toString());
            assertThat(logprobs)
                    .isEqualTo(list(whole.at("/logprobs/token_logprobs")).subList(0, prompt + tokens));
            assertThat(offsets)
                    .isEqualTo(list(whole.at("/logprobs/text_offset")).subList(0, prompt + tokens));
        }
    }

    @Test
    void doNotDependOnTheSplitOrTheChunks() throws Exception {
        String story = "\"" + "Tom had a red ball and a blue ball. ".repeat(10) + "\"";
        String body = body("[\"Once upon a time\", %s, [421]]".formatted(story), 4, ", \"logprobs\": 5, \"n\": 2");
        JsonNode expected = Served.json(served.post(COMPLETIONS, body)).path("choices");

        try (Served split = Served.start(Map.of(
                "troupe.replica.pipeline-parallel", 2,
                "troupe.replica.tensor-parallel", 2,
                "troupe.scheduler.prefill-chunk", 7,
                "troupe.scheduler.rows-per-step", 2,
                "troupe.scheduler.tokens-per-step", 11))) {
            JsonNode choices = Served.json(split.post(COMPLETIONS, body)).path("choices");

            assertThat(expected).hasSize(6);
            assertThat(choices).isEqualTo(expected);
        }
    }

    @Test
    void nothingButAPromptNeedsSomethingToShow() throws Exception {
        for (String more : List.of("", ", \"logprobs\": null")) {
            HttpResponse<String> response = served.post(COMPLETIONS, body("\"Once\"", 0, more));

            assertThat(response.statusCode()).isEqualTo(400);
            assertThat(response.body()).contains("max_tokens=0, expected a whole number from 1, or 0 together with");
        }
    }

    @Test
    void aPromptOfOneTokenHasNone() throws Exception {
        JsonNode choice = choice(served, body("[421]", 0, ", \"logprobs\": 1"));

        assertThat(choice.at("/logprobs/token_logprobs")).hasSize(1);
        assertThat(choice.at("/logprobs/token_logprobs/0").isNull()).isTrue();
    }

    @Test
    void aPromptMayFillTheWholeContext() throws Exception {
        List<Integer> ids = new ArrayList<>();
        for (int i = 0; i < 512; i++) {
            ids.add(300 + i);
        }

        JsonNode choice = choice(served, body(ids.toString(), 0, ", \"logprobs\": 0"));

        assertThat(choice.at("/logprobs/token_logprobs")).hasSize(512);
    }

    @Test
    void aStopTokenEndsTheCompletionBeforeItsText() throws Exception {
        JsonNode whole = choice(served, body("\"Once upon a time\"", 20, ", \"logprobs\": 0"));
        JsonNode prompt = Served.json(served.post("/tokenize", "{\"prompt\": \"Once upon a time\"}"))
                .path("tokens");
        JsonNode ids = Served.json(served.post(
                        "/tokenize",
                        Served.JSON
                                .createObjectNode()
                                .put("prompt", whole.path("text").textValue())
                                .toString()))
                .path("tokens");
        int place = prompt.size() + 6;
        int stop = ids.get(place).intValue();
        int first = 0;
        while (ids.get(prompt.size() + first).intValue() != stop) {
            first++;
        }

        JsonNode stopped = choice(
                served,
                body("\"Once upon a time\"", 20, ", \"logprobs\": 0, \"stop_token_ids\": [%d]".formatted(stop)));

        assertThat(stopped.path("finish_reason").textValue()).isEqualTo("stop");
        assertThat(stopped.at("/logprobs/tokens")).hasSize(prompt.size() + first + 1);
        assertThat(stopped.path("text").textValue())
                .isEqualTo(whole.path("text")
                        .textValue()
                        .substring(
                                0,
                                whole.at("/logprobs/text_offset/" + (prompt.size() + first))
                                        .intValue()));
    }

    @Test
    void stopTokensThatAreNoneAreNamed() throws Exception {
        HttpResponse<String> unknown = served.post(COMPLETIONS, body("\"Once\"", 3, ", \"stop_token_ids\": [7, 2048]"));
        HttpResponse<String> text = served.post(COMPLETIONS, body("\"Once\"", 3, ", \"stop_token_ids\": [\"x\"]"));

        assertThat(unknown.statusCode()).isEqualTo(400);
        assertThat(unknown.body()).contains("stop_token_ids holds token 2048, expected 0 to 2047");
        assertThat(text.statusCode()).isEqualTo(400);
        assertThat(text.body()).contains("stop_token_ids=a string of 1 characters, expected token ids");
    }
}
