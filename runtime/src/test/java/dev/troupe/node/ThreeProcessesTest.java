package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.Completion;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.stream.javadsl.Sink;
import org.junit.jupiter.api.Test;

class ThreeProcessesTest {
    private static final int MINUTES = 4;

    @Test
    void givesTheUnsplitBitsAndOutlivesTheLossOfANode() throws Exception {
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("troupe.models", Map.of("tales", "tales"));
        settings.put("troupe.replica.pipeline-parallel", 2);
        settings.put("troupe.replica.tensor-parallel", 2);
        settings.put("troupe.device.threads", 1);
        TextRequest request = TextRequest.greedy("Once upon a time", 24).withLogits(true);
        Completion whole;
        try (Troupe troupe = LocalTroupe.start(ModelLocation.of("tales"), 1, 1)) {
            whole = get(troupe.complete(request).toCompletableFuture());
        }

        try (LocalCluster cluster = LocalCluster.start(3, settings);
                Troupe troupe = cluster.connect()) {
            Troupe.Description description = cluster.awaitReady(troupe);
            assertThat(description.nodes()).hasSize(3);
            assertThat(String.join("\n", description.placement())).contains("127.0.0.1", "127.0.0.2", "127.0.0.3");

            Completion split = get(troupe.complete(request).toCompletableFuture());

            assertThat(split.choices()).isEqualTo(whole.choices());

            goesOnTokenForTokenWhenOneIsKilled(cluster, troupe);
        }
    }

    private static void goesOnTokenForTokenWhenOneIsKilled(LocalCluster cluster, Troupe troupe) throws Exception {
        TextRequest request =
                TextRequest.greedy("Once upon a time", 300).withLogits(true).withIgnoreEos(true);
        Completion undisturbed = get(troupe.complete(request).toCompletableFuture());
        NodeProcess victim = cluster.processes().getLast();
        AtomicInteger tokens = new AtomicInteger();

        CompletableFuture<List<TextEvent>> stream = troupe.generate(request)
                .map(event -> {
                    if (event instanceof TextEvent.Token && tokens.incrementAndGet() == 40) {
                        victim.kill();
                    }
                    return event;
                })
                .runWith(Sink.seq(), troupe.system())
                .toCompletableFuture();

        assertThat(Completion.of(get(stream)).choices()).isEqualTo(undisturbed.choices());
        assertThat(victim.isAlive()).isFalse();
        assertThat(get(troupe.describe(Duration.ofSeconds(10)).toCompletableFuture())
                        .placement())
                .noneMatch(line -> line.contains("127.0.0.3"));
    }

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(MINUTES, TimeUnit.MINUTES);
    }
}
