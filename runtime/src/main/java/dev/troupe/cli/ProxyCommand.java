package dev.troupe.cli;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import dev.troupe.chaos.LinkFaults;
import dev.troupe.chaos.TcpProxy;
import dev.troupe.config.BindGuard;
import java.io.PrintWriter;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe proxy}: stands between nodes and makes their link fail on purpose. */
@Command(
        name = "proxy",
        description = {
            "Passes TCP connections on, and makes them fail on purpose: cuts them, delays, slows down, flips bits. The node behind it",
            "binds to ports of its own (troupe.node.bind-port, troupe.wire.bind-lane-port) and is known under the proxy's.",
            "Prints what it has done, once a second while that changes, until it is told to end."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe proxy --listen 127.0.0.3:25520 --to 127.0.0.3:26520 --cut-every 3s --cut-for 1s --seed 7",
            "  troupe proxy --listen 127.0.0.3:25521 --to 127.0.0.3:26521 --flip-every 1MiB"
        })
final class ProxyCommand implements Callable<Integer> {
    @Option(
            names = "--listen",
            required = true,
            paramLabel = "HOST:PORT",
            description = "where others connect; loopback")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private String listen;

    @Option(names = "--to", required = true, paramLabel = "HOST:PORT", description = "where it goes on")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private String to;

    @Option(
            names = "--cut-every",
            paramLabel = "DURATION",
            defaultValue = "0s",
            description = "works for about so long between two cuts")
    private String cutEvery = "0s";

    @Option(
            names = "--cut-for",
            paramLabel = "DURATION",
            defaultValue = "0s",
            description = "each cut lasts about so long; nothing passes meanwhile, and goes on afterwards")
    private String cutFor = "0s";

    @Option(names = "--reset", description = "a cut closes all connections, and new ones at once")
    private boolean reset;

    @Option(
            names = "--delay",
            paramLabel = "DURATION",
            defaultValue = "0s",
            description = "of every byte in each direction")
    private String delay = "0s";

    @Option(
            names = "--rate",
            paramLabel = "SIZE",
            defaultValue = "0",
            description = "most bytes a second in one direction of a connection, for example 125kB for 1 Mbit/s")
    private String rate = "0";

    @Option(
            names = "--flip-every",
            paramLabel = "SIZE",
            defaultValue = "0",
            description = "flips a bit about every so many bytes, for example 1MiB")
    private String flipEvery = "0";

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "draws cuts and bits (default: 1)")
    private long seed;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        InetSocketAddress at = address(listen);
        if (!BindGuard.isLoopback(at.getHostString())) {
            throw new CommandFailure(
                    "--listen %s: a proxy takes connections from anybody who can reach it; it listens on loopback only"
                            .formatted(listen));
        }
        LinkFaults faults = new LinkFaults(
                duration(cutEvery), duration(cutFor), reset, duration(delay), bytes(rate), bytes(flipEvery), seed);
        PrintWriter out = spec.commandLine().getOut();
        try (TcpProxy proxy = TcpProxy.open(at, address(to), faults)) {
            out.printf("proxy from %s to %s%n", listen, to);
            out.flush();
            TcpProxy.Counts said = proxy.counts();
            while (true) {
                TimeUnit.SECONDS.sleep(1);
                TcpProxy.Counts now = proxy.counts();
                if (!now.equals(said)) {
                    out.printf(
                            "%d connections, %d bytes, %d cuts, %d resets, %d flips%n",
                            now.connections(), now.bytes(), now.cuts(), now.resets(), now.flips());
                    out.flush();
                    said = now;
                }
            }
        }
    }

    private static InetSocketAddress address(String text) {
        int colon = text.lastIndexOf(':');
        String port = text.substring(colon + 1);
        if (colon <= 0 || !port.matches("[0-9]{1,5}")) {
            throw new CommandFailure("%s is no address; expected HOST:PORT".formatted(text));
        }
        return new InetSocketAddress(text.substring(0, colon), Integer.parseInt(port));
    }

    private static Duration duration(String text) {
        try {
            return ConfigFactory.parseMap(Map.of("duration", text)).getDuration("duration");
        } catch (ConfigException e) {
            throw new CommandFailure("'%s' is no duration; expected for example 500ms, 20s or 2m".formatted(text));
        }
    }

    private static long bytes(String text) {
        try {
            return ConfigFactory.parseMap(Map.of("size", text)).getBytes("size");
        } catch (ConfigException e) {
            throw new CommandFailure("'%s' is no size; expected for example 64KiB or 1MB".formatted(text));
        }
    }
}
