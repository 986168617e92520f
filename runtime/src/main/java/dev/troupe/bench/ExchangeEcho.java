package dev.troupe.bench;

import dev.troupe.config.NodeConfig;
import dev.troupe.stage.Peer;
import dev.troupe.stage.TensorMessage;
import dev.troupe.stage.TensorRoad;
import dev.troupe.stage.TensorShard;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** The answering process of {@link ExchangeBench}: whatever comes goes back by the same road. */
public final class ExchangeEcho {
    private ExchangeEcho() {}

    /**
     * Answers until standard input closes.
     *
     * @param config this process's
     * @param askArtery where the asking side can be reached, host:port
     * @param askLane where its lane can be reached, host:port
     * @param ready gets this side's addresses, one a line, when it answers: Artery, lane, raw socket's port
     */
    public static void run(NodeConfig config, String askArtery, String askLane, Path ready) throws IOException {
        try (ExchangeSide side = new ExchangeSide(1, config)) {
            ExchangeSide.Address ask = new ExchangeSide.Address(askArtery, askLane);
            for (ExchangeSide.Road road : ExchangeSide.Road.values()) {
                side.start(road, echo(side.road(road), side.peer(road, ask)));
            }
            int raw = RawSocket.echo(config.node().host());
            Path written = ready.resolveSibling(ready.getFileName() + ".part");
            Files.writeString(
                    written,
                    "%s%n%s%n%d%n"
                            .formatted(side.address().artery(), side.address().lane(), raw));
            Files.move(written, ready, StandardCopyOption.ATOMIC_MOVE);
            while (System.in.read() >= 0) {
                // Only the end counts.
            }
        }
    }

    private static Behavior<TensorShard.Command> echo(TensorRoad road, Peer asker) {
        return Behaviors.receive(TensorShard.Command.class)
                .onMessage(TensorMessage.class, message -> {
                    road.send(asker, message);
                    return Behaviors.same();
                })
                .build();
    }
}
