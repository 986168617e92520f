package dev.troupe.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.cluster.watch.IslandWatch;
import dev.troupe.node.DeviceWatch;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.junit.jupiter.api.Test;

class NodeCommandTest {
    @Test
    void aNodeThatTheClusterPutsOutHasFailed() throws IOException {
        NodeCommand.requireAsked("127.0.0.1:1#a", Optional.empty());
        NodeCommand.requireAsked("127.0.0.1:1#a", Optional.of(CoordinatedShutdown.actorSystemTerminateReason()));
        NodeCommand.requireAsked("127.0.0.1:1#a", Optional.of(CoordinatedShutdown.jvmExitReason()));

        assertThatThrownBy(() -> NodeCommand.requireAsked(
                        "127.0.0.1:1#a", Optional.of(CoordinatedShutdown.clusterDowningReason())))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith(
                        "node 127.0.0.1:1#a was put out of the cluster or never let in (ClusterDowningReason): ");
        assertThatThrownBy(
                        () -> NodeCommand.requireAsked("127.0.0.1:1#a", Optional.of(DeviceWatch.Reason.DEVICE_FAILED)))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("a device of node 127.0.0.1:1#a has failed");
        assertThatThrownBy(() -> NodeCommand.requireAsked("127.0.0.1:1#a", Optional.of(IslandWatch.Reason.ISLAND)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("in a cluster of its own", "start it again");
    }

    @Test
    void aNodeThatHasBegunToEndAndDoesNotIsNotWaitedFor() throws Exception {
        Duration within = Duration.ofMillis(500);

        assertThat(NodeCommand.hasEnded(new CompletableFuture<>(), () -> true, within))
                .isFalse();
        assertThat(NodeCommand.hasEnded(CompletableFuture.completedFuture(1), () -> true, within))
                .isTrue();
        CompletableFuture<Integer> later = new CompletableFuture<Integer>().completeOnTimeout(1, 2, TimeUnit.SECONDS);
        assertThat(NodeCommand.hasEnded(later, () -> false, within))
                .as("it has not begun to end")
                .isTrue();
    }
}
