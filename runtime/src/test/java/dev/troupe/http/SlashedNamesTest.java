package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SlashedNamesTest {
    @Test
    void aModelOfAnOrganisationIsServedAndFoundByItsWholeName() throws Exception {
        String model =
                Path.of("src", "main", "models", "tales").toAbsolutePath().toString();
        try (Served served = Served.start(Map.of("troupe.models", Map.of("\"acme/tales-3m\"", model)))) {
            for (String path : new String[] {"acme/tales-3m", "acme%2Ftales-3m", "acme%2ftales%2D3m"}) {
                var found = served.get("/v1/models/" + path);

                assertThat(found.statusCode()).as(path).isEqualTo(200);
                assertThat(Served.json(found).path("id").textValue()).isEqualTo("acme/tales-3m");
            }
            OpenAIClient client = OpenAIOkHttpClient.builder()
                    .baseUrl(served.uri("/v1").toString())
                    .apiKey(Served.KEY)
                    .build();
            assertThat(client.models().retrieve("acme/tales-3m").id()).isEqualTo("acme/tales-3m");
            client.close();
            assertThat(served.get("/v1/models/tales-3m").statusCode()).isEqualTo(404);
            var completed = served.post(
                    "/v1/completions", "{\"model\": \"acme/tales-3m\", \"prompt\": \"Once\", \"max_tokens\": 2}");
            assertThat(completed.statusCode()).as(completed.body()).isEqualTo(200);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "/v1/models/{path}, /v1/models/a/b, a/b",
        "/v1/models/{path}, /v1/models/a%2Fb+c, a/b+c",
        "/v1/generations/{id}, /v1/generations/a%20b, a b",
        "/v1/generations/{id}, /v1/generations/a/b,",
        "/v1/generations/{id}, /v1/generations/,",
        "/v1/models/{path}, /v1/models/%zz,",
    })
    void aPlaceholderTakesOnePartOrTheRest(String path, String asked, String expected) {
        Route route = new Route("GET", path, Route.Access.KEY, _ -> {
            throw new AssertionError("nobody asks");
        });

        assertThat(route.match(asked).orElse(null)).isEqualTo(expected);
    }
}
