package dev.troupe.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.troupe.bench.ExchangeBench;
import dev.troupe.bench.ExchangeEcho;
import dev.troupe.config.NodeConfig;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe bench-exchange}: what an exchange between two processes costs. */
@Command(
        name = "bench-exchange",
        description = {
            "Measures the round trip of one exchange of floats between two processes on this machine, over the tensor lane"
                    + " and over Artery, with and without TLS, beside a blocking socket.",
            "Every size is warmed up with as many rounds as are timed."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {"  troupe bench-exchange", "  troupe bench-exchange --bytes 8192,65536 --rounds 20000 --json"})
final class BenchExchangeCommand implements Callable<Integer> {
    private static final int MOST_BYTES = 128 * 1024;

    @Option(
            names = "--bytes",
            paramLabel = "N",
            split = ",",
            defaultValue = "8192,65536",
            description = "sizes of an exchange (default: 8192,65536)")
    private List<Integer> bytes = List.of();

    @Option(names = "--rounds", paramLabel = "N", defaultValue = "10000", description = "timed (default: 10000)")
    private int rounds;

    @Option(names = "--json", description = "print JSON")
    private boolean json;

    @Option(
            names = "--answer",
            hidden = true,
            arity = "4",
            description = "be the other process: configuration, the asker's Artery and lane, file to write when ready")
    private @Nullable List<String> answer;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        if (answer != null) {
            ExchangeEcho.run(
                    NodeConfig.load(Path.of(answer.get(0))), answer.get(1), answer.get(2), Path.of(answer.get(3)));
            return 0;
        }
        for (int size : bytes) {
            if (size < 4 || size % 4 != 0 || size > MOST_BYTES) {
                throw new CommandFailure(
                        "--bytes %d; expected a multiple of 4 from 4 to %d: one row of floats that fits a frame"
                                .formatted(size, MOST_BYTES));
            }
        }
        if (rounds < 10) {
            throw new CommandFailure("--rounds %d; expected at least 10".formatted(rounds));
        }
        List<ExchangeBench.Row> rows = new ArrayList<>(ExchangeBench.run(Map.of(), "plain", bytes, rounds));
        rows.addAll(ExchangeBench.runUnderTls(bytes, rounds));
        print(rows);
        return 0;
    }

    private void print(List<ExchangeBench.Row> rows) {
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            ArrayNode list = new ObjectMapper().createArrayNode();
            rows.forEach(row -> list.addObject()
                    .put("road", row.road())
                    .put("bytes", row.bytes())
                    .put("tenth_percentile_us", row.low())
                    .put("median_us", row.median())
                    .put("99th_percentile_us", row.high()));
            out.println(list);
        } else {
            out.printf("round trips, microseconds; %d rounds a row%n", rounds);
            out.printf("%-16s %10s %10s %10s %10s%n", "road", "bytes", "10 %", "median", "99 %");
            rows.forEach(row -> out.printf(
                    Locale.ROOT,
                    "%-16s %10d %10.1f %10.1f %10.1f%n",
                    row.road(),
                    row.bytes(),
                    row.low(),
                    row.median(),
                    row.high()));
        }
        out.flush();
    }
}
