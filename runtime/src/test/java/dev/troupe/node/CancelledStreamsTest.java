package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.SchedulerStats;
import dev.troupe.tensor.Ints;
import dev.troupe.weights.LoadProgress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.junit.jupiter.api.Test;

class CancelledStreamsTest {
    private static final int PROMPT = 280;
    private static final int MOST_TOKENS = 200;
    private static final int BLOCK = 16;

    /** Plain loops, so that a step takes long beside the way of a message. */
    private static NodeConfig config() {
        return NodeConfig.of(ConfigFactory.parseMap(Map.of(
                "troupe.models",
                Map.of("tales", Path.of("src", "main", "models", "tales").toString()),
                "troupe.device.kernels",
                "reference",
                "troupe.kv.block-size",
                BLOCK)));
    }

    private static TextRequest request(int promptTokens) {
        Ints prompt = Ints.of(IntStream.range(0, promptTokens).map(i -> 10 + i).toArray());
        return TextRequest.greedy("", MOST_TOKENS)
                .withPrompt(new TextRequest.Tokens(prompt))
                .withIgnoreEos(true);
    }

    private static SchedulerStats await(Troupe troupe, String what, Predicate<SchedulerStats> wanted) throws Exception {
        ActorRef<Scheduler.Command> scheduler =
                ActorRefResolver.get(troupe.system()).resolveActorRef("pekko://troupe/system/troupe-scheduler");
        long end = System.nanoTime() + Duration.ofMinutes(TestNodes.MINUTES).toNanos();
        while (true) {
            SchedulerStats stats = AskPattern.<Scheduler.Command, SchedulerStats>ask(
                            scheduler,
                            Scheduler.GetStats::new,
                            Duration.ofMinutes(TestNodes.MINUTES),
                            troupe.system().scheduler())
                    .toCompletableFuture()
                    .get(TestNodes.MINUTES, TimeUnit.MINUTES);
            if (wanted.test(stats)) {
                return stats;
            }
            assertThat(System.nanoTime())
                    .as("not in time: %s; last %s", what, stats)
                    .isLessThan(end);
        }
    }

    @Test
    void giveTheirBlocksBackWithinOneStepWhileOthersGoOn() throws Exception {
        try (Troupe troupe = LocalTroupe.start(config(), LoadProgress.NONE)) {
            TestNodes.await(troupe, Troupe.Description::ready);
            var other = troupe.generate(request(1))
                    .toMat(Sink.ignore(), Keep.right())
                    .run(troupe.system())
                    .toCompletableFuture();
            await(troupe, "the other runs", stats -> stats.completionTokens() > 0);

            var cancelled = troupe.generate(request(PROMPT)).take(3).runWith(Sink.seq(), troupe.system());
            await(troupe, "it has blocks for its prompt", stats -> used(stats) > PROMPT / BLOCK);
            cancelled.toCompletableFuture().get(TestNodes.MINUTES, TimeUnit.MINUTES);
            SchedulerStats known = await(troupe, "the scheduler knows", stats -> stats.generations() == 1);
            SchedulerStats next = await(troupe, "one step more", stats -> stats.steps() > known.steps());

            assertThat(known.completionTokens()).as("cancelled, not complete").isLessThan(MOST_TOKENS);
            assertThat(next.generations()).as("the other still runs").isEqualTo(1);
            assertThat(next.runningSequences()).isEqualTo(1);
            assertThat(next.retiringBlocks()).isZero();
            assertThat(used(next)).isLessThanOrEqualTo(Math.ceilDiv(1 + MOST_TOKENS, BLOCK));

            other.get(TestNodes.MINUTES, TimeUnit.MINUTES);
            SchedulerStats idle = await(troupe, "all is over", stats -> stats.generations() == 0);
            assertThat(idle.freeBlocks() + idle.retiringBlocks()).isEqualTo(idle.blocks());
        }
    }

    private static int used(SchedulerStats stats) {
        return stats.blocks() - stats.freeBlocks();
    }
}
