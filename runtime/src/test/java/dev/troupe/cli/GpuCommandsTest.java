package dev.troupe.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kernel.cuda.StandIn;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Commands that compute on a GPU, on the stand-in driver. */
@Tag("cuda")
class GpuCommandsTest {
    @BeforeEach
    void needsTheStandIn() {
        StandIn.require();
        System.setProperty(
                "troupe.home", Path.of("..").toAbsolutePath().normalize().toString());
    }

    /** A command is over before its devices are given back. */
    @AfterEach
    void nothingIsLeft() throws InterruptedException {
        StandIn.awaitNothingLeft();
    }

    /** Products on tensor cores that a command launches, those that check its device included. */
    private static long fastProducts(String numerics) {
        long before = StandIn.fastProducts();
        StringWriter out = new StringWriter();
        int exitCode = Main.commandLine()
                .setOut(new PrintWriter(out, true))
                .execute(
                        "generate",
                        "--model",
                        "tales",
                        "--prompt",
                        "Tom",
                        "--max-new-tokens",
                        "3",
                        "--device",
                        "cuda:0",
                        "--numerics",
                        numerics);
        assertThat(exitCode).isZero();
        assertThat(out.toString()).contains("Tom");
        return StandIn.fastProducts() - before;
    }

    @Test
    void takeTheNumericsThatTheOptionSays() {
        assertThat(fastProducts("fast")).isPositive();
        assertThat(fastProducts("exact")).isZero();
    }
}
