package dev.troupe.openai;

import static dev.troupe.openai.FakeServer.DELTA;
import static dev.troupe.openai.FakeServer.DONE;
import static dev.troupe.openai.FakeServer.USAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConversationTest {
    private final AtomicLong seconds = new AtomicLong();

    @TempDir
    Path directory;

    private Conversation with(ApiClient client) {
        return new Conversation(client, "", "fake", () -> seconds.getAndIncrement() * 1_000_000_000);
    }

    @Test
    void everyQuestionHoldsWhatWasSaidBefore() throws Exception {
        try (FakeServer server = FakeServer.answering(
                        _ -> FakeServer.stream(DELTA.formatted("He"), DELTA.formatted("llo"), USAGE, DONE));
                ApiClient client = new ApiClient(server.url())) {
            Conversation conversation = with(client);
            conversation.setSystem("Be brief.");
            conversation.setTemperature(0.5);
            conversation.setMaxTokens(7);

            conversation.say("Hi", _ -> {});
            conversation.say("Again", _ -> {});

            assertThat(server.requests().getLast().body()).isEqualTo(new ObjectMapper().readTree("""
                                            {"model": "fake", "messages": [
                                              {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
                                              {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Again"}],
                                             "temperature": 0.5, "max_tokens": 7, "stream": true,
                                             "stream_options": {"include_usage": true}}
                                            """));
        }
    }

    @Test
    void aTurnKnowsItsTokensAndTimes() throws Exception {
        try (FakeServer server = FakeServer.answering(
                        _ -> FakeServer.stream(DELTA.formatted("He"), DELTA.formatted("llo"), USAGE, DONE));
                ApiClient client = new ApiClient(server.url())) {
            Turn turn = with(client).say("Hi", _ -> {});

            assertThat(turn.tokens()).isEqualTo(3);
            assertThat(turn.promptTokens()).isEqualTo(10);
            assertThat(turn.cachedTokens()).isEqualTo(8);
            assertThat(turn.firstTokenSeconds()).isEqualTo(1);
            assertThat(turn.tokensPerSecond()).isEqualTo(2);
        }
    }

    @Test
    void afterAFailureNothingWasSaid() throws Exception {
        try (FakeServer server = FakeServer.answering(_ -> FakeServer.stream(DELTA.formatted("He")));
                ApiClient client = new ApiClient(server.url())) {
            Conversation conversation = with(client);

            assertThatThrownBy(() -> conversation.say("Hi", _ -> {})).isInstanceOf(ApiException.class);

            assertThat(conversation.messages()).isEmpty();
        }
    }

    @Test
    void whatCameBeforeAnAnswerWasStoppedStays() throws Exception {
        FakeServer.Reply endless = new FakeServer.Reply(200, DELTA.formatted("He"), false);
        try (FakeServer server = FakeServer.answering(_ -> endless);
                ApiClient client = new ApiClient(server.url())) {
            Conversation conversation = with(client);
            Thread self = Thread.currentThread();

            Turn turn = conversation.say("Hi", _ -> self.interrupt());
            server.awaitHangUp();

            assertThat(turn.isStopped()).isTrue();
            assertThat(conversation.messages())
                    .containsExactly(
                            new Conversation.Message("user", "Hi"), new Conversation.Message("assistant", "He"));
        }
    }

    @Test
    void aConversationIsSavedIntoANewFileOnly() throws Exception {
        try (FakeServer server = FakeServer.answering(_ -> FakeServer.stream(DELTA.formatted("Hello"), DONE));
                ApiClient client = new ApiClient(server.url())) {
            Conversation conversation = with(client);
            conversation.say("Hi", _ -> {});
            Path json = directory.resolve("said.json");
            Path markdown = directory.resolve("said.md");

            conversation.save(json);
            conversation.save(markdown);

            assertThat(new ObjectMapper().readTree(json.toFile()).path("messages"))
                    .hasSize(2);
            assertThat(Files.readAllLines(markdown)).contains("# fake", "## user", "Hi", "## assistant", "Hello");
            assertThatThrownBy(() -> conversation.save(json)).isInstanceOf(FileAlreadyExistsException.class);
        }
    }
}
