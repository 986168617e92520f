package dev.troupe.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.node.LocalTroupe;
import dev.troupe.node.ModelLocation;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.SinkQueueWithCancel;
import org.junit.jupiter.api.Test;

class SlowClientTest {
    private static final int TOKENS = 300;
    private static final int MINUTES = 2;

    @Test
    void getsEveryEventHoweverLateItTakesThem() throws Exception {
        TextRequest request = TextRequest.greedy("Once upon a time", TOKENS).withIgnoreEos(true);
        try (Troupe troupe = LocalTroupe.start(
                ModelLocation.of(Path.of("src", "main", "models", "tales")
                        .toAbsolutePath()
                        .toString()),
                1,
                1)) {
            SinkQueueWithCancel<TextEvent> slow = troupe.generate(request).runWith(Sink.queue(), troupe.system());
            List<TextEvent> events = new ArrayList<>(List.of(pull(slow).orElseThrow()));
            Completion other = complete(troupe, request);
            // Twice as long as it takes all the events of the slow one to be made, and to wait for it.
            assertThat(complete(troupe, request).text()).isEqualTo(other.text());

            for (Optional<TextEvent> event = pull(slow); event.isPresent(); event = pull(slow)) {
                events.add(event.get());
            }

            assertThat(Completion.of(events).text()).isEqualTo(other.text());
        }
    }

    private static Optional<TextEvent> pull(SinkQueueWithCancel<TextEvent> queue) throws Exception {
        return queue.pull().toCompletableFuture().get(MINUTES, TimeUnit.MINUTES);
    }

    private static Completion complete(Troupe troupe, TextRequest request) throws Exception {
        return troupe.complete(request).toCompletableFuture().get(MINUTES, TimeUnit.MINUTES);
    }
}
