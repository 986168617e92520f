package dev.troupe.bench;

import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigRenderOptions;
import dev.troupe.config.NodeConfig;
import dev.troupe.node.NodeProcess;
import dev.troupe.stage.Partial;
import dev.troupe.stage.Peer;
import dev.troupe.stage.TensorRoad;
import dev.troupe.stage.TensorShard;
import dev.troupe.tensor.Floats;
import dev.troupe.wire.tls.Authority;
import dev.troupe.wire.tls.CertificateRole;
import dev.troupe.wire.tls.Holder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * Round trips of one exchange between two processes of this machine, from a rank to its peer and back, over every road,
 * beside the floor of a blocking socket. Floats are real and checked when they come back.
 */
public final class ExchangeBench {
    private static final Duration WITHIN = Duration.ofMinutes(2);
    private static final int PORT = 25_640;
    private static final String RAW = "raw socket";
    private static final Set<CertificateRole> NODE =
            Set.of(CertificateRole.CONTROL, CertificateRole.FRONTEND, CertificateRole.COMPUTE);

    private ExchangeBench() {}

    /**
     * What was found for one road and one size.
     *
     * @param road for people
     * @param bytes of floats, each way
     * @param low fastest tenth, microseconds
     * @param median microseconds
     * @param high slowest hundredth, microseconds
     */
    public record Row(String road, int bytes, double low, double median, double high) {
        static Row of(String road, int bytes, long[] nanos) {
            long[] sorted = nanos.clone();
            Arrays.sort(sorted);
            return new Row(road, bytes, at(sorted, 0.1), at(sorted, 0.5), at(sorted, 0.99));
        }

        private static double at(long[] sorted, double share) {
            return sorted[(int) (share * (sorted.length - 1))] / 1e3;
        }
    }

    /**
     * Measures.
     *
     * @param settings beside addresses and ports, by whole key; the same for both processes
     * @param name of these settings, for people
     * @param sizes bytes of floats, multiples of 4
     * @param rounds timed, after as many that warm up
     */
    public static List<Row> run(Map<String, ?> settings, String name, List<Integer> sizes, int rounds)
            throws IOException {
        Path folder = Files.createTempDirectory("troupe-exchange");
        Path ready = folder.resolve("ready");
        Path other = folder.resolve("echo.conf");
        Files.writeString(
                other, ConfigFactory.parseMap(settings(settings, 2)).root().render(ConfigRenderOptions.concise()));
        try (ExchangeSide side = new ExchangeSide(0, NodeConfig.of(ConfigFactory.parseMap(settings(settings, 1))))) {
            List<String> arguments = List.of(
                    "bench-exchange",
                    "--answer",
                    other.toString(),
                    side.address().artery(),
                    side.address().lane(),
                    ready.toString());
            try (NodeProcess process =
                    NodeProcess.startCommand("echo", folder.resolve("echo.log"), List.of(), arguments)) {
                return measure(side, await(ready, process), name, sizes, rounds);
            }
        } finally {
            for (String file : List.of("ready", "echo.conf", "echo.log")) {
                Files.deleteIfExists(folder.resolve(file));
            }
            Files.deleteIfExists(folder);
        }
    }

    /** The same under mutual TLS, with certificates of its own that are gone afterwards; without the blocking socket. */
    public static List<Row> runUnderTls(List<Integer> sizes, int rounds) throws IOException {
        Path folder = Files.createTempDirectory("troupe-exchange-certs");
        try {
            Authority authority = Authority.create(folder, Clock.systemUTC());
            for (int number = 1; number <= 2; number++) {
                authority.issue(new Holder(host(number), NODE), Duration.ofDays(1));
            }
            Map<String, ?> settings =
                    Map.of("troupe.wire.tls.enabled", true, "troupe.wire.tls.directory", folder.toString());
            return run(settings, "TLS", sizes, rounds).stream()
                    .filter(row -> !row.road().equals(RAW))
                    .toList();
        } finally {
            try (Stream<Path> files = Files.list(folder)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(folder);
        }
    }

    private static String host(int number) {
        return "127.0.0." + number;
    }

    private static Map<String, Object> settings(Map<String, ?> given, int number) {
        Map<String, Object> all = new LinkedHashMap<>(given);
        all.put("troupe.models", Map.of("tales", "tales")); // a node must know one; nothing loads it
        all.put("troupe.node.host", host(number));
        all.put("troupe.node.port", PORT);
        all.put("troupe.wire.lane-port", PORT + 1);
        return all;
    }

    private static List<String> await(Path ready, NodeProcess process) throws IOException {
        long end = System.nanoTime() + WITHIN.toNanos();
        while (!Files.exists(ready)) {
            if (!process.isAlive() || System.nanoTime() - end > 0) {
                throw new IOException(
                        "the answering process is not ready; it printed:%n%s".formatted(process.logTail()));
            }
            try {
                Thread.sleep(50);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while the answering process started", e);
            }
        }
        return Files.readAllLines(ready);
    }

    private static List<Row> measure(
            ExchangeSide side, List<String> answers, String name, List<Integer> sizes, int rounds) throws IOException {
        ExchangeSide.Address other = new ExchangeSide.Address(answers.get(0), answers.get(1));
        List<Row> rows = new ArrayList<>();
        String host = other.artery().substring(0, other.artery().lastIndexOf(':'));
        try (RawSocket raw = RawSocket.connect(host, Integer.parseInt(answers.get(2)))) {
            for (int bytes : sizes) {
                raw.roundTrips(bytes, rounds);
                rows.add(Row.of(RAW, bytes, raw.roundTrips(bytes, rounds)));
            }
        }
        for (ExchangeSide.Road road : ExchangeSide.Road.values()) {
            Asker asker = new Asker(side.road(road), side.peer(road, other));
            ActorRef<TensorShard.Command> rank = side.start(road, asker.behavior());
            for (int bytes : sizes) {
                long[] both = asker.roundTrips(rank, bytes, 2 * rounds);
                rows.add(Row.of(
                        "%s, %s".formatted(road.name().toLowerCase(Locale.ROOT), name),
                        bytes,
                        Arrays.copyOfRange(both, rounds, 2 * rounds)));
            }
        }
        return rows;
    }

    /** The asking rank. The test that is under way is handed to it before its first message. */
    private static final class Asker {
        private final TensorRoad road;
        private final Peer peer;
        private volatile Ask current = new Ask(new Floats(0, 1, new float[0]), new long[0]);

        Asker(TensorRoad road, Peer peer) {
            this.road = road;
            this.peer = peer;
        }

        /** One series of round trips. */
        private static final class Ask {
            final Floats values;
            final long[] nanos;
            final CompletableFuture<long[]> done = new CompletableFuture<>();
            int round;
            long sentAt;

            Ask(Floats values, long[] nanos) {
                this.values = values;
                this.nanos = nanos;
            }
        }

        long[] roundTrips(ActorRef<TensorShard.Command> self, int bytes, int rounds) throws IOException {
            float[] values = new float[bytes / Float.BYTES];
            for (int i = 0; i < values.length; i++) {
                values[i] = i + 0.5f;
            }
            Ask ask = new Ask(new Floats(1, values.length, values), new long[rounds]);
            current = ask;
            self.tell(message(ask, -1));
            try {
                return ask.done.get(WITHIN.toSeconds(), TimeUnit.SECONDS);
            } catch (TimeoutException e) {
                throw new IOException(
                        "%d of %d exchanges of %d bytes came back in %s over %s"
                                .formatted(ask.round, rounds, bytes, WITHIN, peer),
                        e);
            } catch (ExecutionException e) {
                throw new IOException(String.valueOf(e.getCause()), e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }

        Behavior<TensorShard.Command> behavior() {
            return Behaviors.receive(TensorShard.Command.class)
                    .onMessage(Partial.class, partial -> {
                        arrived(partial, System.nanoTime());
                        return Behaviors.same();
                    })
                    .build();
        }

        private void arrived(Partial partial, long now) {
            Ask ask = current;
            if (partial.step() >= 0) {
                ask.nanos[ask.round++] = now - ask.sentAt;
                if (!partial.values().equals(ask.values)) {
                    ask.done.completeExceptionally(new IllegalStateException("the floats have changed on the road"));
                    return;
                }
            }
            if (ask.round == ask.nanos.length) {
                ask.done.complete(ask.nanos);
            } else {
                ask.sentAt = System.nanoTime();
                road.send(peer, message(ask, ask.round));
            }
        }

        private static Partial message(Ask ask, long step) {
            return new Partial(ExchangeSide.epoch(), step, 0, 0, 0, 1, 0, ask.values);
        }
    }
}
