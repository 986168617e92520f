package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.tensor.Ints;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Kills of every role at every moment, again and again, as a table in {@code target/kill-matrix.md}: whether the streams were
 * identical, the longest time without a token, the epochs. Rounds go over the whole table, so one that is ended early is even.
 */
@Tag("matrix")
@ExtendWith(SharedCluster.class)
@Order(SharedCluster.LAST)
class KillMatrixTest {
    private static final int KILLS = Integer.getInteger("troupe.matrix.kills", 20);
    private static final long SEED = Long.getLong("troupe.matrix.seed", 1);

    /** After so many minutes no round begins. */
    private static final int MINUTES = Integer.getInteger("troupe.matrix.minutes", 600);

    private static final int ATTEMPTS = 6;

    private static final List<String> ROLES =
            List.of("stage-0/rank-0", "stage-1/rank-1", "scheduler", "coordinator", "owner");
    private static final TextRequest LONG_PROMPT = TextRequest.greedy("", 20)
            .withPrompt(new TextRequest.Tokens(
                    Ints.of(IntStream.range(0, 400).map(i -> 10 + i).toArray())))
            .withIgnoreEos(true);

    private final Random random = new Random(SEED);

    /** From the request to a kill within its prompt; less where a token came first. */
    private Duration withinPrompt = Duration.ofMillis(400);

    private enum When {
        FIRST_TOKEN("first token"),
        MIDDLE("middle"),
        IN_AN_EXCHANGE("in an exchange"),
        DURING_PREFILL("during prefill");

        private final String text;

        When(String text) {
            this.text = text;
        }
    }

    private record Cell(String role, When when, List<ChaosRun.Outcome> outcomes) {
        private long identical() {
            return outcomes.stream().filter(ChaosRun.Outcome::isIdentical).count();
        }

        /** Nearest rank. */
        private double gap(double quantile) {
            List<Double> gaps =
                    outcomes.stream().map(ChaosRun.Outcome::gapMillis).sorted().toList();
            return gaps.get((int) Math.ceil(quantile * gaps.size()) - 1);
        }

        private double epochs() {
            return outcomes.stream()
                    .mapToInt(outcome -> outcome.epochs().size())
                    .average()
                    .orElse(0);
        }

        private String line() {
            return outcomes.isEmpty()
                    ? "| %s | %s | 0 | | | | | |".formatted(role, when.text)
                    : String.format(
                            Locale.ROOT,
                            "| %s | %s | %d | %d | %.0f | %.0f | %.0f | %.1f |",
                            role,
                            when.text,
                            outcomes.size(),
                            identical(),
                            gap(0.5),
                            gap(0.99),
                            gap(1),
                            epochs());
        }
    }

    @Test
    void everyRoleAtEveryMoment(ChaosCluster cluster) throws Exception {
        List<Cell> cells = ROLES.stream()
                .flatMap(role -> List.of(When.values()).stream().map(when -> new Cell(role, when, new ArrayList<>())))
                .toList();
        long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(MINUTES);

        for (int round = 0; round < KILLS && System.nanoTime() - end < 0; round++) {
            for (Cell cell : cells) {
                cell.outcomes().add(kill(cluster, cell));
                write(cells);
            }
        }

        assertThat(cells)
                .allSatisfy(cell -> assertThat(cell.outcomes())
                        .as("%s, %s", cell.role(), cell.when())
                        .isNotEmpty()
                        .allMatch(ChaosRun.Outcome::isIdentical));
    }

    /** Kills until it has an effect: a prompt may be done before its kill. */
    private ChaosRun.Outcome kill(ChaosCluster cluster, Cell cell) throws Exception {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            cluster.makeWhole();
            ChaosRun.Outcome outcome = attempt(cluster, cell);
            if (outcome.evidence().tookEffect()) {
                return outcome;
            }
            if (cell.when() == When.DURING_PREFILL) {
                withinPrompt = withinPrompt.multipliedBy(2).dividedBy(3);
            }
        }
        throw new AssertionError("no fault took effect: %s, %s".formatted(cell.role(), cell.when()));
    }

    private ChaosRun.Outcome attempt(ChaosCluster cluster, Cell cell) throws Exception {
        Troupe troupe =
                cell.role().equals("owner") ? cluster.besides("scheduler") : cluster.besides("scheduler", cell.role());
        int token = cell.when() == When.FIRST_TOKEN ? 1 : 2 + random.nextInt(ChaosCluster.TOKENS - 12);
        ChaosRun run = switch (cell.when()) {
            case FIRST_TOKEN, MIDDLE -> ChaosRun.of(cell.role(), new Fault.Kill(), token);
            case IN_AN_EXCHANGE -> ChaosRun.of(cell.role(), new Fault.CrashInExchange(), token);
            case DURING_PREFILL -> ChaosRun.of(cell.role(), new Fault.Kill(), new Moment.Prefill(withinPrompt));
        };
        TextRequest request = cell.when() == When.DURING_PREFILL ? LONG_PROMPT : ChaosCluster.REQUEST;
        ChaosRun.Outcome outcome = run.run(troupe, request, cluster.undisturbed(request));
        System.out.printf(
                "%s, %s, %s: %s%n", cell.role(), cell.when().text, run.at().label(), outcome);
        return outcome;
    }

    private static void write(List<Cell> cells) throws IOException {
        List<String> lines = new ArrayList<>(List.of(
                "| role | moment | kills | identical | gap p50 ms | gap p99 ms | longest ms | epochs, mean |",
                "|---|---|---|---|---|---|---|---|"));
        cells.stream().map(Cell::line).forEach(lines::add);
        Files.write(Path.of("target", "kill-matrix.md"), lines);
    }
}
