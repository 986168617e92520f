package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.troupe.client.RequestFailedException;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.NodeProcess;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.tensor.Ints;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.pekko.stream.javadsl.Sink;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Nodes that fail again and again, because of themselves or because of what they are asked. */
@ExtendWith(SharedCluster.class)
@Tag("scenarios")
@Order(SharedCluster.LAST)
class CrashLoopTest {
    private static final int CRASHES = 3;

    @Test
    void aNodeThatCrashesWheneverItStartsDisturbsNobody(ChaosCluster cluster) throws Exception {
        Troupe troupe = cluster.besides("scheduler");
        String rank = ChaosCluster.rankApart(troupe);
        cluster.survives(troupe, ChaosRun.of(rank, new Fault.Kill(), 1));
        assertThat(cluster.ended()).hasSize(1);
        String looping = cluster.ended().getFirst();
        String epoch = ChaosCluster.describe(troupe).epoch();

        CompletableFuture<Void> crashes = CompletableFuture.runAsync(() -> crashAgainAndAgain(cluster, looping));
        int streams = 0;
        while (!crashes.isDone()) {
            StreamWatch stream = ChaosRun.undisturbed(troupe, ChaosCluster.REQUEST);
            assertThat(cluster.undisturbed(ChaosCluster.REQUEST).differenceFrom(stream))
                    .isEmpty();
            streams++;
        }

        crashes.get();
        assertThat(streams).isPositive();
        assertThat(cluster.process(looping).isAlive()).isFalse();
        assertThat(ChaosCluster.describe(troupe).epoch())
                .as("nobody has waited for it, and nothing was lost with it")
                .isEqualTo(epoch);
    }

    private static void crashAgainAndAgain(ChaosCluster cluster, String node) {
        try {
            for (int crash = 0; crash < CRASHES; crash++) {
                cluster.restart(node);
                NodeProcess process = cluster.process(node);
                cluster.awaitPort(node);
                process.kill();
                cluster.awaitEnd(process);
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** No other request has this token. */
    private static final int DEADLY = 1999;

    /** Two, and one more where the scheduler's own node is one of them. */
    @Test
    void aRequestThatKillsWhoComputesItEndsAfterTwoNodesAndTheOthersGoOn(ChaosCluster cluster) throws Exception {
        String owner = cluster.node(ChaosCluster.NODES); // the last one to get the first rank
        Troupe troupe = cluster.at(owner);
        String scheduler = ChaosCluster.describe(troupe).roles().get("scheduler");
        assertThat(tokens(cluster.undisturbed(ChaosCluster.REQUEST))).doesNotContain(DEADLY);
        for (int n = 1; n <= ChaosCluster.NODES; n++) {
            cluster.chaos()
                    .inject(cluster.node(n), new Fault.Poison(DEADLY))
                    .toCompletableFuture()
                    .get(1, TimeUnit.MINUTES);
        }
        TextRequest poison = TextRequest.greedy("", 20)
                .withPrompt(
                        new TextRequest.Tokens(Ints.of(IntStream.concat(IntStream.range(10, 30), IntStream.of(DEADLY))
                                .toArray())));

        CompletableFuture<StreamWatch> other = CompletableFuture.supplyAsync(() -> stream(troupe));
        CompletableFuture<List<TextEvent>> poisoned =
                troupe.generate(poison).runWith(Sink.seq(), troupe.system()).toCompletableFuture();

        Throwable failure = catchThrowable(() -> poisoned.get(ChaosCluster.PATIENCE.toSeconds(), TimeUnit.SECONDS));
        assertThat(failure.getCause()).isInstanceOfSatisfying(RequestFailedException.class, failed -> {
            assertThat(failed.kind()).isEqualTo(GenerationFailure.Kind.POISON);
        });
        assertThat(cluster.undisturbed(ChaosCluster.REQUEST)
                        .differenceFrom(other.get(ChaosCluster.PATIENCE.toSeconds(), TimeUnit.SECONDS)))
                .as(cluster.tails())
                .isEmpty();
        List<String> killed = cluster.ended();
        assertThat(killed).hasSizeBetween(1, killed.contains(scheduler) ? 3 : 2).doesNotContain(owner);
    }

    private static StreamWatch stream(Troupe troupe) {
        try {
            return ChaosRun.undisturbed(troupe, ChaosCluster.REQUEST);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<Integer> tokens(StreamWatch watch) {
        Ints tokens = watch.completion().choices().getFirst().tokens();
        return IntStream.range(0, tokens.size()).mapToObj(tokens::get).toList();
    }
}
