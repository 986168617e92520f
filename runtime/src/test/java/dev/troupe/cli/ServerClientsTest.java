package dev.troupe.cli;

import static dev.troupe.openai.FakeServer.CHUNK;
import static dev.troupe.openai.FakeServer.DELTA;
import static dev.troupe.openai.FakeServer.DONE;
import static dev.troupe.openai.FakeServer.USAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.typesafe.config.ConfigFactory;
import dev.troupe.config.NodeConfig;
import dev.troupe.http.HttpServer;
import dev.troupe.node.LocalTroupe;
import dev.troupe.openai.ApiClient;
import dev.troupe.openai.Conversation;
import dev.troupe.openai.FakeServer;
import dev.troupe.weights.LoadProgress;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringReader;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** {@code troupe load} and {@code troupe chat}. */
class ServerClientsTest {
    private static final FakeServer.Reply STORY = FakeServer.stream(CHUNK.formatted("Once"), USAGE, DONE);
    private static final FakeServer.Reply HELLO =
            FakeServer.stream(DELTA.formatted("He"), DELTA.formatted("llo"), USAGE, DONE);

    @TempDir
    Path directory;

    private record Outcome(int exitCode, String out, String err) {}

    @BeforeAll
    static void runsFromTheRepository() {
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
    }

    private static Outcome run(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine commandLine =
                Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        int exitCode = commandLine.execute(arguments);
        return new Outcome(exitCode, out.toString(), err.toString());
    }

    @Test
    void bothHaveExamples() {
        for (String command : new String[] {"load", "chat"}) {
            Outcome outcome = run(command, "--help");

            assertThat(outcome.exitCode()).isZero();
            assertThat(outcome.out()).contains("Examples:", "troupe " + command, "TROUPE_API_KEY");
        }
    }

    @Test
    void loadReportsAndDraws() throws Exception {
        Path chart = directory.resolve("latency.svg");
        try (FakeServer server = FakeServer.answering(_ -> STORY)) {
            Outcome text = run("load", "--url", server.url(), "--requests", "3", "--chart", chart.toString());
            Outcome json = run("load", "--url", server.url(), "--requests", "3", "--concurrency", "2", "--json");

            assertThat(text.exitCode()).as(text.err()).isZero();
            assertThat(text.out()).contains("fake, closed loop, 1 at a time", "3 completed, 0 failed", "end to end");
            assertThat(chart).content().startsWith("<svg ");
            JsonNode report = new ObjectMapper().readTree(json.out());
            assertThat(report.path("completed").asInt()).isEqualTo(3);
            assertThat(report.path("concurrency").asInt()).isEqualTo(2);
            assertThat(server.requests().getFirst().body().path("model").textValue())
                    .isEqualTo("fake");
            assertThat(server.requests().getFirst().body().path("prompt")).hasSize(64);
        }
    }

    @Test
    void loadFailsIfARequestFailedUnlessThatIsAllowed() throws IOException {
        FakeServer.Reply full =
                new FakeServer.Reply(503, "{\"error\": {\"message\": \"full\", \"code\": \"overloaded\"}}", true);
        try (FakeServer server = FakeServer.answering(_ -> full)) {
            Outcome failed = run("load", "--url", server.url(), "--requests", "2");
            Outcome allowed = run("load", "--url", server.url(), "--requests", "2", "--allow-failures");

            assertThat(failed.exitCode()).isEqualTo(1);
            assertThat(failed.out()).contains("2 failed: 503 overloaded: full");
            assertThat(allowed.exitCode()).isZero();
        }
    }

    @Test
    void wrongOptionsOfLoadAreOneSentence() {
        Outcome prefix = run("load", "--prompt", "Once", "--shared-prefix", "50");
        Outcome percent = run("load", "--shared-prefix", "101");
        Outcome both = run("load", "--rate", "1", "--concurrency", "1");
        Outcome key = run("load", "--tenant-keys", "a=not a key");

        assertThat(prefix.err())
                .contains("--shared-prefix goes with --prompt-tokens")
                .hasLineCount(1);
        assertThat(percent.err()).contains("--shared-prefix 101, expected a percentage of 0 to 100");
        assertThat(both.exitCode()).isEqualTo(2);
        assertThat(key.err()).contains("--tenant-keys has a key").doesNotContain("not a key");
    }

    @Test
    void chatSaysItOnce() throws Exception {
        try (FakeServer server = FakeServer.answering(_ -> HELLO)) {
            Outcome text = run("chat", "--url", server.url(), "--once", "Hi", "--system", "Be brief.");
            Outcome json = run("chat", "--url", server.url(), "--once", "Hi", "--json", "--temperature", "0");

            assertThat(text.exitCode()).as(text.err()).isZero();
            assertThat(text.out()).isEqualToNormalizingNewlines("Hello\n");
            assertThat(server.requests().getFirst().body().path("messages")).hasSize(2);
            JsonNode answer = new ObjectMapper().readTree(json.out());
            assertThat(answer.path("text").textValue()).isEqualTo("Hello");
            assertThat(answer.path("completion_tokens").asInt()).isEqualTo(3);
            assertThat(answer.path("cached_tokens").asInt()).isEqualTo(8);
        }
    }

    @Test
    void whereNoServerIsOneSentenceSaysSo() throws IOException {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }

        for (String command : new String[] {"load", "chat"}) {
            Outcome outcome = run(command, "--url", "http://127.0.0.1:" + port);

            assertThat(outcome.exitCode()).isEqualTo(1);
            assertThat(outcome.err())
                    .contains("troupe: no server answers at http://127.0.0.1:" + port, "troupe serve", "--url")
                    .hasLineCount(1);
        }
    }

    @Test
    void aWrongKeyIsOneSentenceThatSaysWhereToPutIt() throws IOException {
        try (FakeServer server =
                FakeServer.always(401, "{\"error\": {\"message\": \"no valid key\", \"code\": \"invalid_api_key\"}}")) {
            Outcome outcome = run("chat", "--url", server.url(), "--api-key", "wrong", "--once", "Hi");

            assertThat(outcome.exitCode()).isEqualTo(1);
            assertThat(outcome.err())
                    .contains("refuses (401 invalid_api_key): no valid key", "TROUPE_API_KEY or --api-key")
                    .doesNotContain("wrong")
                    .hasLineCount(1);
        }
    }

    @Test
    void ourOwnServerIsOneOfThem() throws Exception {
        NodeConfig config = NodeConfig.of(ConfigFactory.parseMap(Map.of(
                "troupe.models",
                Map.of(
                        "tales",
                        Path.of("src", "main", "models", "tales")
                                .toAbsolutePath()
                                .toString()),
                "troupe.replica.model",
                "tales",
                "troupe.http.enabled",
                true,
                "troupe.http.port",
                0)));
        try (HttpServer server = LocalTroupe.serve(config, LoadProgress.NONE)) {
            String url = "http://" + server.address();

            Outcome load = run(
                    "load",
                    "--url",
                    url,
                    "--requests",
                    "4",
                    "--concurrency",
                    "2",
                    "--max-tokens",
                    "6",
                    "--ignore-eos",
                    "--json");
            Outcome chat = run("chat", "--url", url, "--once", "Hi");

            assertThat(load.exitCode()).as(load.out() + load.err()).isZero();
            JsonNode report = new ObjectMapper().readTree(load.out());
            assertThat(report.path("completed").asInt()).isEqualTo(4);
            assertThat(report.path("completion_tokens").asInt()).isEqualTo(24);
            assertThat(report.path("first_token_seconds").path("count").asInt()).isEqualTo(4);
            assertThat(chat.exitCode()).as(chat.out() + chat.err()).isZero();
            assertThat(chat.out()).hasSizeGreaterThan(10);
        }
    }

    private static String talk(FakeServer server, boolean goesOn, String lines) throws IOException {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text, true);
        try (ApiClient client = new ApiClient(server.url())) {
            Conversation conversation = new Conversation(client, "", "fake", System::nanoTime);
            new ChatLoop(
                            conversation,
                            out,
                            message -> conversation.say(message, out::print),
                            failure -> ServerChoice.failure(client, failure),
                            goesOn)
                    .run(ChatInput.of(new BufferedReader(new StringReader(lines))));
        }
        return text.toString();
    }

    @Test
    void linesAreMessagesOrCommands() throws IOException {
        Path file = directory.resolve("said.md");
        try (FakeServer server = FakeServer.answering(_ -> HELLO)) {
            String out = talk(server, true, """
                    /stats
                    /system Be brief.
                    /temperature 0.5

                    one \\
                    two
                    //slash
                    /stats
                    /save %s
                    /save %s
                    /clear
                    /nonsense
                    /temperature hot
                    /help
                    last\\
                    """.formatted(file, file));

            assertThat(server.requests()).hasSize(3);
            assertThat(server.requests().get(1).body().path("messages"))
                    .extracting(message -> message.path("content").textValue())
                    .containsExactly("Be brief.", "one \ntwo", "Hello", "/slash");
            assertThat(server.requests().get(1).body().path("temperature").asDouble())
                    .isEqualTo(0.5);
            assertThat(server.requests().get(2).body().path("messages"))
                    .extracting(message -> message.path("content").textValue())
                    .containsExactly("Be brief.", "last\n");
            assertThat(out)
                    .contains(
                            "there is no answer yet",
                            "10 prompt tokens, 8 of them cached, 3 tokens, first after",
                            "4 messages are in " + file,
                            file + " is there already; name another file",
                            "/nonsense is no command; /help lists them",
                            "/temperature hot, expected a number from 0 to 2",
                            "/quit            end, as Ctrl-D does");
        }
    }

    @Test
    void nothingIsReadAfterQuit() throws IOException {
        try (FakeServer server = FakeServer.answering(_ -> HELLO)) {
            assertThat(talk(server, true, "/quit\nHi\n")).isEmpty();
            assertThat(server.requests()).isEmpty();
        }
    }

    @Test
    void aFailureEndsAChatThatNobodyTypes() throws IOException {
        FakeServer.Reply full =
                new FakeServer.Reply(503, "{\"error\": {\"message\": \"full\", \"code\": \"overloaded\"}}", true);
        try (FakeServer server = FakeServer.answering(_ -> full)) {
            assertThat(talk(server, true, "Hi\nHi\n")).contains("refuses (503 overloaded): full");
            assertThat(server.requests()).hasSize(2);
            assertThatThrownBy(() -> talk(server, false, "Hi\nHi\n")).hasMessageContaining("overloaded");
            assertThat(server.requests()).hasSize(3);
        }
    }
}
