package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** A client of nodes' HTTP ports. */
final class NodeHttp {
    static final String KEY = "key-of-team-a-0123456789";
    static final String OTHER_KEY = "key-of-team-b-0123456789";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient client = HttpClient.newHttpClient();

    /** An event of a stream; an error has no id. */
    record Event(String id, String data) {}

    /** A stream as it is read. */
    static final class Reading implements AutoCloseable {
        private final BufferedReader lines;
        private final List<Event> events = new ArrayList<>();

        Reading(HttpResponse<InputStream> response) {
            assertThat(response.statusCode()).isEqualTo(200);
            lines = new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8));
        }

        /** Reads until so many events are there, or as far as it goes. */
        List<Event> read(int most) {
            String id = "";
            try {
                while (events.size() < most) {
                    String line = lines.readLine();
                    if (line == null) {
                        break;
                    }
                    if (line.startsWith("id: ")) {
                        id = line.substring(4);
                    } else if (line.startsWith("data: ")) {
                        events.add(new Event(id, line.substring(6)));
                        id = "";
                    }
                }
            } catch (IOException e) {
                // Its server is gone.
            }
            return List.copyOf(events);
        }

        List<Event> rest() {
            return read(Integer.MAX_VALUE);
        }

        String generation() {
            String id = events.getFirst().id();
            return id.substring(0, id.lastIndexOf(':'));
        }

        @Override
        public void close() throws IOException {
            lines.close();
        }
    }

    HttpRequest.Builder request(String address, String path, String key) {
        return HttpRequest.newBuilder(URI.create("http://" + address + path))
                .timeout(Duration.ofMinutes(TestNodes.MINUTES))
                .header("Authorization", "Bearer " + key)
                .header("Content-Type", "application/json");
    }

    HttpResponse<String> send(HttpRequest request) {
        try {
            return client.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** A post whose answer is read whole. */
    HttpResponse<String> whole(String address, String path, String body) {
        return send(request(address, path, KEY)
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build());
    }

    /** A post that is answered by a stream. */
    Reading post(String address, String path, String body) throws Exception {
        return new Reading(client.send(
                request(address, path, KEY)
                        .POST(HttpRequest.BodyPublishers.ofString(body))
                        .build(),
                HttpResponse.BodyHandlers.ofInputStream()));
    }

    Reading resume(String address, String generation, int after) throws Exception {
        return new Reading(client.send(
                request(address, "/v1/generations/%s?after=%d".formatted(generation, after), KEY)
                        .build(),
                HttpResponse.BodyHandlers.ofInputStream()));
    }

    /** Status of the answer, of which nothing is read; 0 if there is none. */
    int status(String address, String path, String key, String method) {
        try {
            HttpResponse<InputStream> response = client.send(
                    request(address, path, key)
                            .method(method, HttpRequest.BodyPublishers.noBody())
                            .build(),
                    HttpResponse.BodyHandlers.ofInputStream());
            response.body().close();
            return response.statusCode();
        } catch (IOException e) {
            return 0;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** What is the same in two runs: neither ids nor the time. */
    static List<String> content(List<Event> events) throws IOException {
        List<String> data = new ArrayList<>();
        for (Event event : events) {
            JsonNode node = event.data().equals("[DONE]") ? JSON.nullNode() : JSON.readTree(event.data());
            if (node instanceof ObjectNode chunk) {
                chunk.remove(List.of("id", "created"));
            }
            data.add(node.toString());
        }
        return data;
    }

    /** All of them have an id, with numbers from 0. */
    static void requireNumbered(List<Event> events, String generation) {
        assertThat(events.stream().map(Event::id))
                .containsExactlyElementsOf(IntStream.range(0, events.size())
                        .mapToObj(number -> generation + ":" + number)
                        .toList());
    }

    /** A number of {@code /health}. */
    int health(String address, String field) {
        try {
            return JSON.readTree(send(request(address, "/health", KEY).build()).body())
                    .path(field)
                    .asInt();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
