package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.troupe.client.Embedding;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.LocalTroupe;
import dev.troupe.node.ModelLocation;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.pekko.stream.javadsl.Sink;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Texts as vectors, over HTTP and from a program. */
class EmbeddingsTest {
    private static final String EMBEDDINGS = "/v1/embeddings";
    private static final int HIDDEN = 128;

    /** Longer than a KV block and than a chunk of the small steps. */
    private static final String STORY = "Lily and Tom had a red ball and a blue ball and a green ball. ".repeat(4);

    private static Served served;

    @BeforeAll
    static void start() throws Exception {
        served = Served.start(Map.of("troupe.http.running", 4));
    }

    @AfterAll
    static void end() {
        served.close();
    }

    private static String body(String input, String more) {
        return "{\"model\": \"tales\", \"input\": %s%s}".formatted(input, more);
    }

    private static JsonNode embed(Served server, String input, String more) throws Exception {
        HttpResponse<String> response = server.post(EMBEDDINGS, body(input, more));
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return Served.json(response);
    }

    private static List<Float> vector(JsonNode answer, int index) {
        List<Float> values = new ArrayList<>();
        answer.at("/data/" + index + "/embedding").forEach(value -> values.add(value.floatValue()));
        return values;
    }

    private static String tokens(String text) throws Exception {
        return Served.json(served.post("/tokenize", "{\"prompt\": \"%s\"}".formatted(text)))
                .path("tokens")
                .toString();
    }

    private static double dot(List<Float> a, List<Float> b) {
        return IntStream.range(0, a.size())
                .mapToDouble(i -> (double) a.get(i) * b.get(i))
                .sum();
    }

    @Test
    void everyInputHasAVectorOfLengthOneInItsPlace() throws Exception {
        JsonNode answer = embed(served, "[\"Once upon a time\", \"Tom\", \"Once upon a time\"]", ", \"user\": \"u\"");

        assertThat(answer.path("object").textValue()).isEqualTo("list");
        assertThat(answer.path("model").textValue()).isEqualTo("tales");
        assertThat(answer.path("data")).hasSize(3);
        for (int i = 0; i < 3; i++) {
            assertThat(answer.at("/data/" + i + "/index").intValue()).isEqualTo(i);
            assertThat(answer.at("/data/" + i + "/object").textValue()).isEqualTo("embedding");
            assertThat(vector(answer, i)).hasSize(HIDDEN);
            assertThat(dot(vector(answer, i), vector(answer, i))).isBetween(1 - 1e-5, 1 + 1e-5);
        }
        assertThat(vector(answer, 0)).isEqualTo(vector(answer, 2)).isNotEqualTo(vector(answer, 1));
        int all = answer.at("/usage/prompt_tokens").intValue();
        assertThat(all)
                .isEqualTo(2
                                * embed(served, "\"Once upon a time\"", "")
                                        .at("/usage/prompt_tokens")
                                        .intValue()
                        + embed(served, "\"Tom\"", "").at("/usage/total_tokens").intValue());
        assertThat(answer.at("/usage/total_tokens").intValue()).isEqualTo(all);
    }

    @Test
    void textsAndTokenIdsSayTheSame() throws Exception {
        List<Float> expected = vector(embed(served, "\"Once upon a time\"", ""), 0);
        String ids = tokens("Once upon a time");

        assertThat(vector(embed(served, ids, ""), 0)).isEqualTo(expected);
        assertThat(vector(embed(served, "[" + tokens("Tom") + ", " + ids + "]", ""), 1))
                .isEqualTo(expected);
    }

    @Test
    void base64IsTheSameVectorInLittleEndianBytes() throws Exception {
        List<Float> expected = vector(embed(served, "\"Tom\"", ", \"encoding_format\": \"float\""), 0);

        JsonNode answer = embed(served, "\"Tom\"", ", \"encoding_format\": \"base64\"");

        ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder()
                        .decode(answer.at("/data/0/embedding").textValue()))
                .order(ByteOrder.LITTLE_ENDIAN);
        List<Float> values = new ArrayList<>();
        while (bytes.hasRemaining()) {
            values.add(bytes.getFloat());
        }
        assertThat(values).isEqualTo(expected);
    }

    @Test
    void fewerDimensionsAreTheFirstOnesAndOfLengthOneAgain() throws Exception {
        List<Float> whole = vector(embed(served, "\"Tom\"", ""), 0);

        List<Float> few = vector(embed(served, "\"Tom\"", ", \"dimensions\": 20"), 0);

        List<Float> first = whole.subList(0, 20);
        assertThat(few).hasSize(20);
        assertThat(dot(few, few)).isBetween(1 - 1e-5, 1 + 1e-5);
        assertThat(dot(few, first)).isBetween(Math.sqrt(dot(first, first)) - 1e-5, Math.sqrt(dot(first, first)) + 1e-5);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "input | null | input is missing",
                "input | [] | input has no tokens, expected at least one",
                "input | 7 | input=7, expected an array of at most 2048",
                "input | [[2048]] | input holds token 2048, expected 0 to 2047",
                "dimensions | 129 | dimensions=129, expected a whole number from 1 to 128",
                "dimensions | 0 | dimensions=0, expected a whole number from 1 to 128",
                "encoding_format | \"hex\" | encoding_format=a string of 3 characters, expected float or base64",
                "pooling | \"max\" | pooling=a string of 3 characters, expected mean or last",
                "temperature | 1 | temperature is no parameter of this request; these are: dimensions, encoding_format",
            })
    void aValueThatIsWrongIsNamed(String field, String value, String message) throws Exception {
        String input = field.equals("input") ? value : "\"Tom\"";
        String more = field.equals("input") ? "" : ", \"%s\": %s".formatted(field, value);

        HttpResponse<String> response = served.post(EMBEDDINGS, body(input, more));

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(Served.json(response).at("/error/message").textValue()).contains(message);
        assertThat(Served.json(response).at("/error/param").textValue()).isEqualTo(field);
    }

    @Test
    void anInputThatIsLongerThanTheContextIsNamed() throws Exception {
        String ids = IntStream.range(0, 513).mapToObj(i -> "7").toList().toString();

        HttpResponse<String> response = served.post(EMBEDDINGS, body("[[7], " + ids + "]", ""));

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(response.body()).contains("input[1] has 513 tokens, expected at most 512");
    }

    @Test
    void moreInputsThanPlacesAreComputedInTurn() throws Exception {
        String many = IntStream.range(0, 40)
                .mapToObj(i -> "\"Tom had %d balls\"".formatted(i))
                .toList()
                .toString();

        JsonNode answer = embed(served, many, "");

        assertThat(answer.path("data")).hasSize(40);
        assertThat(vector(answer, 23)).isEqualTo(vector(embed(served, "\"Tom had 23 balls\"", ""), 0));
        assertThat(Served.json(served.get("/health")).path("running").intValue())
                .isZero();
    }

    @Test
    void prefixesThatWereComputedChangeNothing() throws Exception {
        String story = "\"" + STORY + "\"";
        List<Float> mean = vector(embed(served, story, ""), 0);
        List<Float> last = vector(embed(served, story, ", \"pooling\": \"last\""), 0);

        JsonNode again = embed(served, story, "");
        JsonNode lastAgain = embed(served, story, ", \"pooling\": \"last\"");

        assertThat(vector(again, 0)).isEqualTo(mean).isNotEqualTo(last);
        assertThat(again.at("/usage/prompt_tokens_details/cached_tokens").intValue())
                .isZero();
        assertThat(vector(lastAgain, 0)).isEqualTo(last);
        assertThat(lastAgain.at("/usage/prompt_tokens_details/cached_tokens").intValue())
                .isPositive();
    }

    @Test
    void doNotDependOnTheSplitTheChunksOrWhoElseIsServed() throws Exception {
        String inputs = "[\"%s\", \"Tom\", \"Once upon a time\", \"%s\"]".formatted(STORY, STORY.substring(9));
        JsonNode mean = embed(served, inputs, "");
        JsonNode last = embed(served, inputs, ", \"pooling\": \"last\"");

        try (Served split = Served.start(Map.of(
                "troupe.replica.pipeline-parallel", 2,
                "troupe.replica.tensor-parallel", 2,
                "troupe.scheduler.prefill-chunk", 7,
                "troupe.scheduler.tokens-per-step", 11))) {
            assertThat(embed(split, inputs, "").path("data")).isEqualTo(mean.path("data"));
            assertThat(embed(split, inputs, ", \"pooling\": \"last\"").path("data"))
                    .isEqualTo(last.path("data"));
        }
    }

    @Test
    void theMeanIsThatOfTheLastStatesOfAllBeginnings() throws Exception {
        Ints tokens = Ints.of(2046, 421, 430, 258, 393, 11, 396, 282);
        try (Troupe troupe = LocalTroupe.start(
                ModelLocation.of(Path.of("src", "main", "models", "tales").toString()), 1, 2)) {
            double[] sums = new double[HIDDEN];
            for (int end = 1; end <= tokens.size(); end++) {
                Floats state = state(troupe, tokens.slice(0, end));
                for (int i = 0; i < HIDDEN; i++) {
                    sums[i] += state.get(0, i);
                }
            }
            float[] mean = new float[HIDDEN];
            for (int i = 0; i < HIDDEN; i++) {
                mean[i] = (float) (sums[i] / tokens.size());
            }

            Embedding embedding = troupe.embed(new TextRequest.Tokens(tokens), Embedding.Pooling.MEAN)
                    .toCompletableFuture()
                    .get();
            Embedding last = troupe.embed(new TextRequest.Tokens(tokens), Embedding.Pooling.LAST)
                    .toCompletableFuture()
                    .get();

            assertThat(embedding.values()).isEqualTo(Embedding.normalised(new Floats(1, HIDDEN, mean), HIDDEN));
            assertThat(last.values()).isEqualTo(Embedding.normalised(state(troupe, tokens), HIDDEN));
            assertThat(embedding.promptTokens()).isEqualTo(tokens.size());
            List<Float> overHttp = vector(embed(served, "[" + ids(tokens) + "]", ""), 0);
            assertThat(overHttp)
                    .isEqualTo(IntStream.range(0, HIDDEN)
                            .mapToObj(i -> embedding.values().get(0, i))
                            .toList());
        }
    }

    private static String ids(Ints tokens) {
        return tokens.stream().boxed().toList().toString();
    }

    /** The last token's state, as a completion is drawn from it. */
    private static Floats state(Troupe troupe, Ints tokens) throws Exception {
        List<TextEvent> events = troupe.generate(
                        TextRequest.embedding(new TextRequest.Tokens(tokens), Embedding.Pooling.LAST))
                .runWith(Sink.<TextEvent>seq(), troupe.system())
                .toCompletableFuture()
                .get();
        return events.stream()
                .filter(event -> event instanceof TextEvent.Hidden)
                .map(event -> ((TextEvent.Hidden) event).values())
                .findFirst()
                .orElseThrow();
    }
}
