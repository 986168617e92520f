package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A page of somebody else, in a browser on this machine, cannot use a server without keys. */
class WebPagesTest {
    private static final String BODY = "{\"model\": \"tales\", \"prompt\": \"Once\", \"max_tokens\": 1}";

    private static Served served;

    @BeforeAll
    static void start() throws Exception {
        served =
                Served.start(Map.of("troupe.http.keys", Map.of(), "troupe.http.host-names", List.of("Models.example")));
    }

    @AfterAll
    static void end() {
        served.close();
    }

    private static HttpResponse<String> post(String... headers) throws Exception {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(served.uri("/v1/completions")).POST(HttpRequest.BodyPublishers.ofString(BODY));
        return served.send(
                headers.length == 0 ? request.build() : request.headers(headers).build());
    }

    /** The status line of a request by hand: clients of Java choose the header Host themselves. */
    private static String status(String host) throws Exception {
        try (Socket socket =
                new Socket(served.uri("/").getHost(), served.uri("/").getPort())) {
            socket.getOutputStream()
                    .write("GET /v1/models HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
                            .formatted(host)
                            .getBytes(StandardCharsets.US_ASCII));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return answer.lines().findFirst().orElse("") + (answer.contains("troupe.http.host-names") ? " said" : "");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"application/x-www-form-urlencoded", "text/plain", "text/plain;charset=UTF-8"})
    void aBodyOfATypeThatPagesMaySendIsRefused(String type) throws Exception {
        HttpResponse<String> response = post("Content-Type", type);

        assertThat(response.statusCode()).isEqualTo(415);
        assertThat(response.body())
                .contains("Content-Type=" + type.replaceAll(";.*", ""), "-H 'Content-Type: application/json'");
    }

    @Test
    void aBodyOfNoTypeIsRefused() throws Exception {
        assertThat(post().statusCode()).isEqualTo(415);
    }

    @ParameterizedTest
    @ValueSource(strings = {"application/json", "application/json; charset=utf-8", "Application/JSON;profile=x"})
    void jsonIsTakenWhateverFollows(String type) throws Exception {
        assertThat(post("Content-Type", type).statusCode()).isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "localhost",
                "LOCALHOST:1",
                "127.0.0.1",
                "127.0.0.1:99",
                "127.9.9.9",
                "[::1]",
                "[::1]:8000",
                "models.example",
                "MODELS.example:80"
            })
    void isCalledByNamesOfItsOwn(String host) throws Exception {
        assertThat(status(host)).isEqualTo("HTTP/1.1 200 OK");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "evil.example",
                "evil.example:8000",
                "localhost.evil.example",
                "127.0.0.1.evil.example",
                "10.0.0.1",
                "x.models.example"
            })
    void isNotCalledByAnotherName(String host) throws Exception {
        assertThat(status(host)).isEqualTo("HTTP/1.1 403 Forbidden said");
    }

    @Test
    void allowsNoOtherOrigin() throws Exception {
        HttpRequest asked = HttpRequest.newBuilder(served.uri("/v1/completions"))
                .method("OPTIONS", HttpRequest.BodyPublishers.noBody())
                .header("Origin", "http://evil.example")
                .header("Access-Control-Request-Method", "POST")
                .header("Access-Control-Request-Headers", "content-type")
                .build();

        List<HttpResponse<String>> responses =
                List.of(served.send(asked), post("Content-Type", "application/json", "Origin", "http://evil.example"));

        assertThat(responses).extracting(HttpResponse::statusCode).containsExactly(405, 200);
        assertThat(responses.getFirst().headers().firstValue("Allow")).contains("POST");
        assertThat(responses)
                .allSatisfy(response -> assertThat(response.headers().map().keySet())
                        .noneMatch(
                                name -> name.toLowerCase(java.util.Locale.ROOT).startsWith("access-control")));
    }

    @Test
    void keysLetAnyNameInAndAreAskedForByTheirScheme() throws Exception {
        try (Served keyed = Served.start(Map.of())) {
            HttpRequest stranger =
                    HttpRequest.newBuilder(keyed.uri("/v1/models")).build();
            try (Socket socket =
                    new Socket(keyed.uri("/").getHost(), keyed.uri("/").getPort())) {
                socket.getOutputStream()
                        .write(
                                "GET /v1/models HTTP/1.1\r\nHost: any.example\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n"
                                        .formatted(Served.KEY)
                                        .getBytes(StandardCharsets.US_ASCII));

                assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                        .startsWith("HTTP/1.1 200 OK");
            }

            HttpResponse<String> denied = keyed.send(stranger);
            assertThat(denied.statusCode()).isEqualTo(401);
            assertThat(denied.headers().firstValue("WWW-Authenticate")).contains("Bearer");
        }
    }
}
