package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.Completion;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.LocalTroupe;
import dev.troupe.node.ModelLocation;
import dev.troupe.node.NodeProcess;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.stream.javadsl.Sink;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What processes give together, with and without losses, is what one process gives that has the whole model. */
@ExtendWith(SharedCluster.class)
@Tag("scenarios")
@Order(SharedCluster.LAST)
class UnsplitBitsTest {
    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(ChaosCluster.PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }

    private static Completion unsplit(TextRequest request) throws Exception {
        try (Troupe troupe = LocalTroupe.start(ModelLocation.of("tales"), 1, 1)) {
            return get(troupe.complete(request).toCompletableFuture());
        }
    }

    @Test
    void everyRowOfLogitsIsTheSameAlsoAfterTheLossOfANode(ChaosCluster cluster) throws Exception {
        TextRequest request =
                TextRequest.greedy("Once upon a time", 80).withLogits(true).withIgnoreEos(true);
        Completion whole = unsplit(request);
        Troupe troupe = cluster.besides("scheduler");
        assertThat(get(troupe.complete(request).toCompletableFuture()).choices())
                .isEqualTo(whole.choices());
        NodeProcess victim = cluster.process(ChaosCluster.player(troupe, ChaosCluster.rankApart(troupe)));
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

        assertThat(Completion.of(get(stream)).choices()).isEqualTo(whole.choices());
        assertThat(victim.isAlive()).isFalse();
    }

    /** Two stages of two ranks become one stage of two, then one rank. */
    @Test
    void aStreamThatLosesANodeAfterTheOtherEndsUnsplitWithTheSameHash(ChaosCluster cluster) throws Exception {
        TextRequest request = TextRequest.greedy("Once upon a time", 120).withIgnoreEos(true);
        Completion whole = unsplit(request);
        Troupe troupe = cluster.besides("scheduler");
        String owner = ChaosCluster.player(troupe, "owner");
        List<NodeProcess> victims =
                cluster.others(owner).stream().map(cluster::process).toList();
        AtomicInteger tokens = new AtomicInteger();

        CompletableFuture<List<TextEvent>> stream = troupe.generate(request)
                .map(event -> {
                    if (event instanceof TextEvent.Token) {
                        int token = tokens.incrementAndGet();
                        if (token % 30 == 0 && token / 30 <= victims.size()) {
                            victims.get(token / 30 - 1).kill();
                        }
                    }
                    return event;
                })
                .runWith(Sink.seq(), troupe.system())
                .toCompletableFuture();

        assertThat(Completion.of(get(stream)).hash()).isEqualTo(whole.hash());
        assertThat(victims).noneMatch(NodeProcess::isAlive);
        assertThat(ChaosCluster.describe(troupe).roles())
                .containsEntry("stage-0/rank-0", owner)
                .doesNotContainKeys("stage-0/rank-1", "stage-1/rank-0");
    }
}
