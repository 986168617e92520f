package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.client.Completion;
import dev.troupe.client.RequestFailedException;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.stream.javadsl.Sink;
import org.junit.jupiter.api.Test;

class ThreeProcessesTest {
    private static final int MINUTES = 4;

    @Test
    void givesTheUnsplitBitsAndNamesANodeThatIsKilled() throws Exception {
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

            killsOneWhileAStreamRuns(cluster, troupe);
        }
    }

    private static void killsOneWhileAStreamRuns(LocalCluster cluster, Troupe troupe) throws Exception {
        CountDownLatch running = new CountDownLatch(5);
        CompletableFuture<?> stream = troupe.generate(
                        TextRequest.greedy("Once upon a time", 480).withIgnoreEos(true))
                .runWith(
                        Sink.foreach(event -> {
                            if (event instanceof TextEvent.Token) {
                                running.countDown();
                            }
                        }),
                        troupe.system())
                .toCompletableFuture();
        assertThat(running.await(MINUTES, TimeUnit.MINUTES)).isTrue();

        NodeProcess victim = cluster.processes().getLast();
        victim.kill();

        assertThatThrownBy(() -> get(stream))
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isInstanceOf(RequestFailedException.class)
                .hasMessageContaining("127.0.0.3")
                .hasMessageContaining("stage 1 rank 0");
        assertThat(victim.isAlive()).isFalse();
    }

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(MINUTES, TimeUnit.MINUTES);
    }
}
