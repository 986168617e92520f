package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A server keeps as much of resumable streams as it may, and says what it has dropped. */
class RecordedStreamsTest {
    private static Served served;

    @BeforeAll
    static void start() throws Exception {
        served = Served.start(Map.of(
                "troupe.http.recordings", 2,
                "troupe.http.recordings-bytes", "16 KiB",
                "troupe.http.waiting-per-key", 0,
                "troupe.http.running", 1));
    }

    @AfterAll
    static void end() {
        served.close();
    }

    private static HttpResponse<String> stream(int tokens) throws Exception {
        return served.post(
                "/v1/completions",
                "{\"model\": \"tales\", \"prompt\": \"Once\", \"max_tokens\": %d, \"ignore_eos\": true, \"stream\": true, \"resumable\": true}"
                        .formatted(tokens));
    }

    private static String path(HttpResponse<String> stream) {
        String first = Served.ids(stream.body()).getFirst();
        return "/v1/generations/" + first.substring(0, first.lastIndexOf(':'));
    }

    @Test
    void whatHasMadeRoomIsGoneAndWhatNeverWasIsNotFound() throws Exception {
        List<HttpResponse<String>> streams = List.of(stream(3), stream(3), stream(3));

        HttpResponse<String> dropped = served.get(path(streams.getFirst()));
        HttpResponse<String> stranger = served.send(HttpRequest.newBuilder(served.uri(path(streams.getFirst())))
                .header("Authorization", "Bearer " + Served.OTHER_KEY)
                .build());

        assertThat(dropped.statusCode()).isEqualTo(410);
        assertThat(dropped.body()).contains("dropped", "has made room for newer streams");
        assertThat(stranger.statusCode()).isEqualTo(404);
        assertThat(served.get("/v1/generations/never").statusCode()).isEqualTo(404);
        for (HttpResponse<String> kept : streams.subList(1, 3)) {
            assertThat(served.get(path(kept)).body()).isEqualTo(kept.body());
        }
    }

    @Test
    void aStreamThatHasNoRoomEndsWithAnError() throws Exception {
        List<String> data = Served.data(stream(400).body());

        assertThat(data).hasSizeBetween(20, 399).doesNotContain("[DONE]");
        assertThat(data.getLast())
                .contains("\"error\"", "overloaded", "have used up their memory; ask for a plain stream");
        assertThat(Served.data(stream(3).body())).endsWith("[DONE]");
    }
}
