package dev.troupe.cli;

import com.typesafe.config.ConfigFactory;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.node.ClientSystem;
import dev.troupe.node.TroupeNode;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;

/**
 * {@code troupe train-startup}: does once what every node and every client does when it starts, and ends. The launcher runs it
 * after a build with {@code -XX:AOTCacheOutput}, so that the JVM remembers the loaded and linked classes (JEP 514).
 */
@Command(name = "train-startup", hidden = true, description = "Starts a node, generates some tokens, and ends.")
final class TrainStartupCommand implements Callable<Integer> {
    private static final String HOST = "127.0.0.1";
    private static final int TOKENS = 24;
    private static final int MINUTES = 2;

    @Override
    public Integer call() throws Exception {
        String address = HOST + ":" + freePort();
        NodeConfig config = NodeConfig.of(ConfigFactory.parseMap(Map.of(
                "troupe.models",
                Map.of("tales", "tales"),
                "troupe.node.host",
                HOST,
                "troupe.node.port",
                address.substring(address.indexOf(':') + 1),
                "troupe.cluster.seed-nodes",
                List.of(address),
                "troupe.wire.lane-port",
                0,
                "troupe.replica.pipeline-parallel",
                1,
                "troupe.replica.tensor-parallel",
                1,
                "troupe.device.threads",
                1)));
        TroupeNode node = TroupeNode.start(config, LoadProgress.NONE);
        try (Troupe troupe = Troupe.connect(address, ClientSystem.config())) {
            troupe.complete(TextRequest.greedy("Once upon a time", TOKENS))
                    .toCompletableFuture()
                    .get(MINUTES, TimeUnit.MINUTES);
        }
        node.close();
        node.system().getWhenTerminated().toCompletableFuture().get(MINUTES, TimeUnit.MINUTES);
        return 0;
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
