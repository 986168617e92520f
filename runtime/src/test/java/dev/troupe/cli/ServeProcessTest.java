package dev.troupe.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.node.NodeProcess;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServeProcessTest {
    private static final Pattern SERVING = Pattern.compile("serving tales at (http://\\S+)/v1");
    private static final Duration PATIENCE = Duration.ofMinutes(2);

    /** So many choices that they are not done before the signal is. */
    private static final String BODY =
            "{\"model\": \"tales\", \"prompt\": \"Once\", \"max_tokens\": 500, \"ignore_eos\": true, \"n\": 64, \"stream\": true}";

    @BeforeAll
    static void runsFromTheRepository() {
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
    }

    @Test
    void tellsItsClientsWhenItIsToldToEnd(@TempDir Path directory) throws Exception {
        Path config = Files.writeString(directory.resolve("serve.conf"), "troupe.http.grace = 0s\n");
        Path log = directory.resolve("serve.log");
        List<String> arguments = List.of(
                "serve",
                "--model",
                Path.of("src", "main", "models", "tales").toAbsolutePath().toString(),
                "--port",
                "0",
                "--config",
                config.toString());
        try (NodeProcess process = NodeProcess.startCommand("serve", log, List.of(), arguments);
                HttpClient client = HttpClient.newHttpClient()) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(url(process, log) + "/v1/completions"))
                    .header("Content-Type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofString(BODY))
                    .build();
            try (InputStream body = client.send(request, HttpResponse.BodyHandlers.ofInputStream())
                            .body();
                    BufferedReader reader = new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8))) {
                assertThat(reader.readLine()).startsWith("id: ");

                process.leave();

                List<String> data =
                        reader.lines().filter(line -> line.startsWith("data: ")).toList();
                assertThat(data).doesNotContain("data: [DONE]");
                assertThat(data.getLast()).contains("\"error\"", "shutting_down");
            }
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (process.isAlive()) {
                assertThat(System.nanoTime()).as(process.logTail()).isLessThan(deadline);
                Thread.onSpinWait();
            }
            assertThat(process.logTail()).doesNotContain("Exception");
        }
    }

    private static String url(NodeProcess process, Path log) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            Matcher serving = SERVING.matcher(Files.exists(log) ? Files.readString(log) : "");
            if (serving.find()) {
                return serving.group(1);
            }
            assertThat(process.isAlive()).as(process.logTail()).isTrue();
            assertThat(System.nanoTime()).as(process.logTail()).isLessThan(deadline);
            Thread.onSpinWait();
        }
    }
}
