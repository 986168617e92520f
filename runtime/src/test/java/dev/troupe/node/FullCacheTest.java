package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.troupe.client.Completion;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.SchedulerStats;
import dev.troupe.weights.LoadProgress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.junit.jupiter.api.Test;

/** More long requests than there are KV blocks for: some are put back and computed again. */
class FullCacheTest {
    private static final int REQUESTS = 16;
    private static final int BLOCKS = 40;

    private static NodeConfig config() {
        return NodeConfig.of(ConfigFactory.parseMap(Map.of(
                "troupe.models",
                Map.of("tales", Path.of("src", "main", "models", "tales").toString()),
                "troupe.device.threads",
                1,
                "troupe.kv.block-size",
                16,
                "troupe.kv.blocks",
                BLOCKS)));
    }

    /** Sampled: a token that is drawn again must be the same one. */
    private static TextRequest request(int seed) {
        return TextRequest.greedy("Once upon a time", 80)
                .withSampling(new SamplingParameters(0.9f, 0, 0.95f, 0, 1.1f, 0, 0, Map.of(), seed, -1))
                .withIgnoreEos(true);
    }

    private static SchedulerStats stats(Troupe troupe) throws Exception {
        ActorRef<Scheduler.Command> scheduler =
                ActorRefResolver.get(troupe.system()).resolveActorRef("pekko://troupe/system/troupe-scheduler");
        return get(AskPattern.<Scheduler.Command, SchedulerStats>ask(
                        scheduler,
                        Scheduler.GetStats::new,
                        Duration.ofMinutes(1),
                        troupe.system().scheduler())
                .toCompletableFuture());
    }

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(TestNodes.MINUTES, TimeUnit.MINUTES);
    }

    @Test
    void putsSequencesBackAndDrawsTheSameTokensAgain() throws Exception {
        try (Troupe troupe = LocalTroupe.start(config(), LoadProgress.NONE)) {
            List<String> alone = new ArrayList<>();
            for (int seed = 0; seed < REQUESTS; seed++) {
                alone.add(get(troupe.complete(request(seed)).toCompletableFuture())
                        .hash());
            }
            assertThat(stats(troupe).preemptions()).isZero();
            assertThat(alone).doesNotHaveDuplicates();

            List<CompletableFuture<Completion>> together = IntStream.range(0, REQUESTS)
                    .mapToObj(seed -> troupe.complete(request(seed)).toCompletableFuture())
                    .toList();
            List<String> hashes = new ArrayList<>();
            for (CompletableFuture<Completion> each : together) {
                hashes.add(get(each).hash());
            }

            SchedulerStats after = stats(troupe);
            assertThat(hashes).isEqualTo(alone);
            assertThat(after.preemptions()).isPositive();
            assertThat(after.blocks()).isEqualTo(BLOCKS);
            assertThat(after.freeBlocks() + after.retiringBlocks()).isEqualTo(BLOCKS);
        }
    }
}
