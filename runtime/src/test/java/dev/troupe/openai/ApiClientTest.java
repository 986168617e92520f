package dev.troupe.openai;

import static dev.troupe.openai.FakeServer.CHUNK;
import static dev.troupe.openai.FakeServer.DELTA;
import static dev.troupe.openai.FakeServer.DONE;
import static dev.troupe.openai.FakeServer.USAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class ApiClientTest {
    private final List<String> pieces = new ArrayList<>();

    private static ObjectNode body(boolean stream) {
        return JsonNodeFactory.instance.objectNode().put("model", "fake").put("stream", stream);
    }

    private Answer ask(FakeServer.Reply reply, boolean stream) throws Exception {
        try (FakeServer server = FakeServer.answering(_ -> reply);
                ApiClient client = new ApiClient(server.url())) {
            return client.ask(ApiClient.Route.COMPLETIONS, "", body(stream), pieces::add);
        }
    }

    private ApiException failure(FakeServer.Reply reply, boolean stream) {
        return catchThrowableOfType(ApiException.class, () -> ask(reply, stream));
    }

    @Test
    void aStreamBecomesAnAnswerPieceByPiece() throws Exception {
        Answer answer = ask(
                FakeServer.stream(
                        CHUNK.formatted("Once"),
                        CHUNK.formatted(" upon"),
                        "data: {\"choices\": [{\"index\": 0, \"text\": \"\", \"finish_reason\": \"length\"}]}\r\n\r\n",
                        USAGE,
                        DONE),
                true);

        assertThat(answer).isEqualTo(new Answer("Once upon", "length", new Usage(10, 3, 8)));
        assertThat(pieces).containsExactly("Once", " upon");
    }

    @Test
    void theOpeningOfAChatIsNoToken() throws Exception {
        Answer answer = ask(
                FakeServer.stream(
                        "data: {\"choices\": [{\"delta\": {\"role\": \"assistant\", \"content\": \"\"}, \"finish_reason\": null}]}\n\n",
                        "data: {\"choices\": [{\"delta\": {\"reasoning_content\": \"hm\"}, \"finish_reason\": null}]}\n\n",
                        DELTA.formatted("Hello"),
                        DONE),
                true);

        assertThat(answer).isEqualTo(new Answer("Hello", null, null));
        assertThat(pieces).containsExactly("", "Hello");
    }

    @Test
    void aWholeAnswerComesAsOnePiece() throws Exception {
        Answer answer = ask(
                new FakeServer.Reply(
                        200,
                        "{\"choices\": [{\"message\": {\"content\": \"Hi\"}, \"finish_reason\": \"stop\"}],"
                                + " \"usage\": {\"prompt_tokens\": 4, \"completion_tokens\": 1}}",
                        true),
                false);

        assertThat(answer).isEqualTo(new Answer("Hi", "stop", new Usage(4, 1, Usage.UNKNOWN)));
        assertThat(pieces).containsExactly("Hi");
    }

    @Test
    void aStreamWithoutItsLastWordHasFailed() {
        ApiException failure = failure(FakeServer.stream(CHUNK.formatted("Once"), USAGE), true);

        assertThat(failure.kind()).isEqualTo(ApiException.Kind.NOT_DONE);
        assertThat(failure.label()).isEqualTo("200 not_done");
        assertThat(failure).hasMessage("the stream ended without [DONE]");
    }

    @Test
    void anErrorInAStreamIsARefusal() {
        ApiException failure = failure(
                FakeServer.stream(
                        CHUNK.formatted("Once"),
                        "data: {\"error\": {\"message\": \"no\\u001b[31m room\", \"type\": \"server_error\", \"code\": \"no_capacity\"}}\n\n"),
                true);

        assertThat(failure.kind()).isEqualTo(ApiException.Kind.REFUSED);
        assertThat(failure.label()).isEqualTo("200 no_capacity");
        assertThat(failure).hasMessage("no [31m room");
    }

    @Test
    void aRefusalHasTheServersWords() {
        ApiException ours = failure(
                new FakeServer.Reply(
                        429,
                        "{\"error\": {\"message\": \"later\", \"type\": \"rate_limit_error\", \"param\": null, \"code\": null}}",
                        true),
                true);
        ApiException flat = failure(
                new FakeServer.Reply(400, "{\"object\": \"error\", \"message\": \"too long\", \"code\": 400}", true),
                true);
        ApiException proxy = failure(new FakeServer.Reply(502, "<html>Bad\nGateway</html>", true), true);

        assertThat(ours.label()).isEqualTo("429 rate_limit_error");
        assertThat(ours).hasMessage("later");
        assertThat(flat.label()).isEqualTo("400 400");
        assertThat(flat).hasMessage("too long");
        assertThat(proxy.label()).isEqualTo("502");
        assertThat(proxy).hasMessage("<html>Bad Gateway</html>");
    }

    @Test
    void whatIsNoJsonIsNoAnswer() {
        ApiException failure = failure(new FakeServer.Reply(200, "hello", true), false);

        assertThat(failure.kind()).isEqualTo(ApiException.Kind.MALFORMED);
        assertThat(failure).hasMessageContaining("is this an OpenAI-compatible server?");
    }

    @Test
    void nobodyAtThePortIsOneSentence() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }

        try (ApiClient client = new ApiClient("http://127.0.0.1:" + port)) {
            assertThatThrownBy(() -> client.models(""))
                    .isInstanceOfSatisfying(
                            ApiException.class,
                            failure -> assertThat(failure.kind()).isEqualTo(ApiException.Kind.NO_CONNECTION))
                    .hasMessageStartingWith("no server answers at http://127.0.0.1:%d: ".formatted(port));
        }
    }

    @Test
    void anInterruptClosesTheConnection() throws Exception {
        FakeServer.Reply endless = new FakeServer.Reply(200, CHUNK.formatted("Once"), false);
        try (FakeServer server = FakeServer.answering(_ -> endless);
                ApiClient client = new ApiClient(server.url())) {
            CountDownLatch begun = new CountDownLatch(1);
            List<Throwable> thrown = new ArrayList<>();
            Thread asking = Thread.ofVirtual().start(() -> {
                try {
                    client.ask(ApiClient.Route.COMPLETIONS, "", body(true), _ -> begun.countDown());
                } catch (IOException | InterruptedException e) {
                    thrown.add(e);
                }
            });

            begun.await();
            asking.interrupt();
            asking.join();
            server.awaitHangUp();

            assertThat(thrown).singleElement().isInstanceOf(InterruptedException.class);
        }
    }

    @Test
    void theKeyAndTheModelsAreThoseOfTheApi() throws Exception {
        try (FakeServer server = FakeServer.answering(_ -> FakeServer.stream(DONE));
                ApiClient client = new ApiClient(server.url() + "/v1/")) {
            assertThat(client.models("")).containsExactly("fake");

            client.ask(ApiClient.Route.CHAT, "secret", body(true), pieces::add);

            assertThat(server.requests()).singleElement().satisfies(request -> {
                assertThat(request.path()).isEqualTo("/v1/chat/completions");
                assertThat(request.authorization()).isEqualTo("Bearer secret");
            });
        }
    }

    @Test
    void aUrlThatIsNoneSaysWhatWouldBe() {
        for (String url : List.of("127.0.0.1:8000", "ftp://host", "http://", "")) {
            assertThatThrownBy(() -> new ApiClient(url))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("url " + url);
        }
    }
}
