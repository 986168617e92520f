package dev.troupe.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.troupe.chaos.ChaosRun;
import dev.troupe.chaos.Fault;
import dev.troupe.chaos.Moment;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.node.TroupeNode;
import dev.troupe.serving.meter.PipelineStats;
import dev.troupe.weights.LoadProgress;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ChaosCommandTest {
    private static final Troupe.Description TWO_NODES = new Troupe.Description(
            "tales",
            true,
            List.of("127.0.0.1:25520", "127.0.0.2:25520"),
            List.of(),
            List.of(),
            "exact",
            List.of("127.0.0.1:25520", "127.0.0.2:25520"),
            "e1.1",
            Map.of("scheduler", "127.0.0.1:25520", "stage-0/rank-0", "127.0.0.2:25520"),
            PipelineStats.NONE);

    private record Outcome(int exitCode, String out, String err) {}

    @BeforeAll
    static void runsFromTheRepository() {
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
    }

    private static Outcome run(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int exitCode = Main.commandLine()
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(arguments);
        return new Outcome(exitCode, out.toString(), err.toString());
    }

    private static ChaosRun read(String role, String... words) {
        return new FaultChoice(List.of(words)).run(role, 7, new Moment.AtToken(57), Duration.ofMinutes(1), TWO_NODES);
    }

    @Test
    void readsEveryFault() {
        assertThat(read("scheduler", "kill").fault()).isEqualTo(new Fault.Kill());
        assertThat(read("scheduler", "crash-in-exchange").fault()).isEqualTo(new Fault.CrashInExchange());
        assertThat(read("scheduler", "poison", "1999").fault()).isEqualTo(new Fault.Poison(1999));
        assertThat(read("scheduler", "pause", "20s").fault()).isEqualTo(new Fault.Pause(Duration.ofSeconds(20)));
        assertThat(read("scheduler", "slow", "5", "500ms").fault())
                .isEqualTo(new Fault.Slow(5, Duration.ofMillis(500)));
        assertThat(read("scheduler", "stuck-kernel", "1m").fault())
                .isEqualTo(new Fault.StuckKernel(Duration.ofMinutes(1)));
        assertThat(read("scheduler", "reset-connections").fault()).isEqualTo(new Fault.ResetConnections());
    }

    @Test
    void aMomentIsATokenOrWithinThePrompt() {
        assertThat(ChaosCommand.moment("token=57")).isEqualTo(new Moment.AtToken(57));
        assertThat(ChaosCommand.moment("prefill")).isEqualTo(Moment.prefill());
        assertThat(ChaosCommand.moment("prefill=80ms")).isEqualTo(new Moment.Prefill(Duration.ofMillis(80)));
        assertThatThrownBy(() -> ChaosCommand.moment("token=0"))
                .hasMessage("--at token=0, expected token=N, prefill or prefill=DURATION, for example token=57");
    }

    @Test
    void aCutHasTwoSidesAndAOneWayCutHasOne() {
        ChaosRun both = read("random", "cut", "scheduler", "stage-0/rank-0", "5s");
        ChaosRun oneWay = read("random", "cut-one-way", "127.0.0.2:25520", "scheduler", "5s");

        assertThat(both.role()).isEqualTo("scheduler");
        assertThat(both.fault()).isEqualTo(new Fault.Cut("127.0.0.2:25520", Duration.ofSeconds(5)));
        assertThat(both.alsoAt())
                .containsExactly(new ChaosRun.Beside(
                        "127.0.0.2:25520", new Fault.Cut("127.0.0.1:25520", Duration.ofSeconds(5))));
        assertThat(oneWay.role()).isEqualTo("127.0.0.2:25520");
        assertThat(oneWay.alsoAt()).isEmpty();
    }

    @Test
    void aNodeCannotBeCutOffFromItself() {
        assertThatThrownBy(() -> read("random", "cut", "scheduler", "127.0.0.1:25520", "5s"))
                .hasMessage(
                        "scheduler and 127.0.0.1:25520 are both on 127.0.0.1:25520: there is nothing between them to cut");
    }

    @Test
    void aRoleThatNobodyPlaysNamesThoseThatAre() {
        assertThatThrownBy(() -> read("random", "cut", "stage-3/rank-0", "scheduler", "5s"))
                .hasMessageContaining("nobody plays role stage-3/rank-0; there are scheduler, stage-0/rank-0, random");
    }

    @Test
    void aFaultThatIsNoneNamesThoseThatAre() {
        Outcome outcome = run("chaos", "explode", "--connect", "127.0.0.1:1");

        assertThat(outcome.exitCode()).isEqualTo(1);
        assertThat(outcome.err())
                .startsWith(
                        "troupe: 'explode' is no fault; expected one of: kill, crash-in-exchange, poison TOKEN, pause DURATION");
    }

    @Test
    void aNodeWithoutChaosRefusesWithTheKeyToSet() throws Exception {
        int port;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        Map<String, ?> settings = Map.of(
                "troupe.models",
                Map.of("tales", "tales"),
                "troupe.node.port",
                port,
                "troupe.wire.lane-port",
                0,
                "troupe.device.threads",
                1);
        TroupeNode node = TroupeNode.start(NodeConfig.of(ConfigFactory.parseMap(settings)), LoadProgress.NONE);
        try {
            node.whenComplete().toCompletableFuture().get(3, TimeUnit.MINUTES);

            Outcome outcome = run(
                    "chaos",
                    "kill",
                    "--connect",
                    "127.0.0.1:" + port,
                    "--at",
                    "token=2",
                    "--max-new-tokens",
                    "4",
                    "--role",
                    "scheduler");

            assertThat(outcome.exitCode()).isEqualTo(3);
            assertThat(outcome.err())
                    .contains("chaos is off on node 127.0.0.1:" + port, "start it with troupe.chaos.enabled = on");
            assertThat(node.system().getWhenTerminated().toCompletableFuture().isDone())
                    .isFalse();
        } finally {
            node.close();
            node.system().getWhenTerminated().toCompletableFuture().get(1, TimeUnit.MINUTES);
        }
    }
}
