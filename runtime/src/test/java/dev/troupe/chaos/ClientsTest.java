package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.TextEvent;
import dev.troupe.client.Troupe;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.stream.javadsl.Sink;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Clients that leave or dawdle, beside one that does not. */
@ExtendWith(SharedCluster.class)
@Tag("scenarios")
@Order(SharedCluster.LAST)
class ClientsTest {
    private static final int LEAVING = 12;

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(ChaosCluster.PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }

    private static CompletableFuture<?> start(Troupe troupe, StreamWatch watch) {
        return troupe.generate(ChaosCluster.REQUEST)
                .runWith(Sink.foreach(watch::on), troupe.system())
                .toCompletableFuture();
    }

    @Test
    void mayLeaveInTheMiddleOfTheirStreams(ChaosCluster cluster) throws Exception {
        StreamWatch undisturbed = cluster.undisturbed(ChaosCluster.REQUEST);
        Troupe troupe = cluster.besides("scheduler");
        StreamWatch stays = StreamWatch.ofPeace();
        CompletableFuture<?> end = start(troupe, stays);

        for (int i = 0; i < LEAVING; i++) {
            List<TextEvent> begin = get(troupe.generate(ChaosCluster.REQUEST)
                    .take(3)
                    .runWith(Sink.seq(), troupe.system())
                    .toCompletableFuture());
            assertThat(begin).hasSize(3);
        }

        get(end);
        assertThat(undisturbed.differenceFrom(stays)).isEmpty();
    }

    @Test
    void mayReadSlowlyWithoutHoldingOthersUp(ChaosCluster cluster) throws Exception {
        StreamWatch undisturbed = cluster.undisturbed(ChaosCluster.REQUEST);
        Troupe troupe = cluster.besides("scheduler");
        StreamWatch slow = StreamWatch.ofPeace();
        StreamWatch quick = StreamWatch.ofPeace();

        CompletableFuture<?> slowEnd = troupe.generate(ChaosCluster.REQUEST)
                .throttle(1, Duration.ofMillis(100))
                .runWith(Sink.foreach(slow::on), troupe.system())
                .toCompletableFuture();
        get(start(troupe, quick));

        assertThat(slowEnd).isNotDone();
        assertThat(undisturbed.differenceFrom(quick)).isEmpty();
        get(slowEnd);
        assertThat(undisturbed.differenceFrom(slow)).isEmpty();
    }
}
