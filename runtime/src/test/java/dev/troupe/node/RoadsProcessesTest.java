package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.Completion;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Two processes whose tensors ride either road. */
class RoadsProcessesTest {
    private static final TextRequest REQUEST =
            TextRequest.greedy("Once upon a time", 24).withLogits(true).withIgnoreEos(true);

    private static Completion complete(Troupe troupe) throws Exception {
        return troupe.complete(REQUEST).toCompletableFuture().get(TestNodes.MINUTES, TimeUnit.MINUTES);
    }

    /** The tensor lane has the port after Artery's. */
    private static boolean hasLane(LocalCluster cluster) {
        String[] artery = cluster.address().split(":", 2);
        try (Socket socket = new Socket(artery[0], Integer.parseInt(artery[1]) + 1)) {
            return socket.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"lane", "artery"})
    void giveTheBitsOfTheUnsplitModel(String road) throws Exception {
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("troupe.models", Map.of("tales", "tales"));
        settings.put("troupe.replica.tensor-parallel", 2);
        settings.put("troupe.device.threads", 1);
        settings.put("troupe.wire.tensors", road);
        settings.put("troupe.device.kernels", "reference"); // which need no good compiler to be quick
        Completion whole;
        try (Troupe unsplit = LocalTroupe.start(ModelLocation.of("tales"), 1, 1)) {
            whole = complete(unsplit);
        }

        try (LocalCluster cluster = LocalCluster.start(2, settings, null, List.of("-XX:TieredStopAtLevel=1"));
                Troupe troupe = cluster.connect()) {
            Troupe.Description ready = cluster.awaitReady(troupe);

            assertThat(ready.nodes()).hasSize(2);
            assertThat(hasLane(cluster)).isEqualTo(road.equals("lane"));
            assertThat(complete(troupe).choices()).isEqualTo(whole.choices());
            cluster.processes().forEach(NodeProcess::kill); // nobody needs them to leave
        }
    }
}
