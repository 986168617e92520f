package dev.troupe.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ChildJvmTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final ChildFleet fleet = new ChildFleet("ChildJvmTest");

    @AfterEach
    void end() {
        fleet.close();
    }

    @Test
    void answersAndTellsFailuresFromAnswers() {
        ChildJvm child = fleet.start("echo", EchoMain.class);

        assertThat(child.ask("echo one two", LIMIT)).isEqualTo("echo one two");
        assertThatThrownBy(() -> child.ask("fail", LIMIT))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("as asked")
                .hasMessageContaining("EchoMain");
        assertThat(child.ask("echo still here", LIMIT)).isEqualTo("echo still here");
    }

    @Test
    void isSeenToDieByTheKill() {
        ChildJvm child = fleet.start("victim", EchoMain.class);

        child.kill();

        assertThat(child.isAlive()).isFalse();
        assertThatThrownBy(() -> child.ask("echo", Duration.ofMillis(200))).hasMessageContaining("victim");
    }

    @Test
    void refusesToCallItAKillWhenTheChildHadEndedBefore() {
        ChildJvm child = fleet.start("suicide", EchoMain.class);
        assertThatThrownBy(() -> child.ask("exit", LIMIT)).hasMessageContaining("exit value 7");

        assertThatThrownBy(child::kill).hasMessageContaining("had ended before it was killed, exit value 7");
    }

    @Test
    void endsWhenItsInputCloses() {
        ChildJvm child = fleet.start("orphan", EchoMain.class);

        assertThat(child.end(LIMIT)).isZero();
    }

    @Test
    void endsWithAParentThatIsKilled() {
        ChildJvm parent = fleet.start("parent", EchoMain.class);
        long grandchild = Long.parseLong(parent.ask("grandchild", Duration.ofSeconds(60)));
        assertThat(ProcessHandle.of(grandchild)).isPresent();

        parent.kill();

        ChildFleet.await(
                "the grandchild ends",
                LIMIT,
                () -> ProcessHandle.of(grandchild)
                        .map(handle -> !handle.isAlive())
                        .orElse(true));
    }
}
