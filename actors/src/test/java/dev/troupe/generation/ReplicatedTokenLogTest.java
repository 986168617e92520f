package dev.troupe.generation;

import static dev.troupe.generation.HeldLogsTest.entry;
import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.serving.GenerationId;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.junit.jupiter.api.Test;

class ReplicatedTokenLogTest {
    private static final GenerationId ID = new GenerationId("g", "a");
    private static final OwnerTerm TERM = OwnerTerm.first(1);
    private static final GenerationRequest REQUEST =
            GenerationRequest.of("m", Ints.of(1, 2)).build();

    private final TestInbox<LogKeeper.Command> first = TestInbox.create("first");
    private final TestInbox<LogKeeper.Command> second = TestInbox.create("second");
    private final TestInbox<LogKeeper.Answer> answers = TestInbox.create("answers");
    private final List<LogHolders.Holder> others = new ArrayList<>(
            List.of(new LogHolders.Holder("first", first.getRef()), new LogHolders.Holder("second", second.getRef())));
    private long now;

    private TokenLog open(List<LogEntry> entries, List<LogHolders.Holder> previous) {
        LogHolders holders = new LogHolders() {
            @Override
            public long self() {
                return 1;
            }

            @Override
            public List<Holder> others() {
                return List.copyOf(others);
            }

            @Override
            public List<Holder> all() {
                return others();
            }
        };
        TokenLog log = ReplicatedTokenLog.factory(holders, Duration.ofSeconds(5), () -> now)
                .open(new TokenLog.Opening(ID, TERM, REQUEST, Duration.ZERO, entries, previous, answers.getRef()));
        log.flush();
        return log;
    }

    private static void holds(TokenLog log, long stint, long entries) {
        log.on(new LogKeeper.Holds(ID, TERM, stint, entries));
        log.flush();
    }

    private void pass(TokenLog log, long millis) {
        now += Duration.ofMillis(millis).toNanos();
        log.check();
        log.flush();
    }

    private LogKeeper.Command append(long stint, long at, LogEntry... entries) {
        return new LogKeeper.Append(ID, TERM, stint, at, List.of(entries), answers.getRef());
    }

    private LogKeeper.Command opening(long stint, Duration age) {
        return new LogKeeper.Open(ID, TERM, stint, REQUEST, age, answers.getRef());
    }

    @Test
    void sendsInOneMessageWhatWasAppendedSinceTheOneBefore() {
        TokenLog log = open(List.of(), List.of());
        first.expectMessage(opening(1, Duration.ZERO));
        assertThat(log.isHeld()).isFalse();
        holds(log, 1, 0);
        assertThat(log.isHeld()).isTrue();

        log.append(entry(0));
        log.flush();
        log.append(entry(1));
        log.flush();
        log.append(entry(2));
        log.flush();

        first.expectMessage(append(1, 0, entry(0)));
        assertThat(first.hasMessages()).isFalse();
        assertThat(log.durable()).isZero();
        holds(log, 1, 1);
        first.expectMessage(append(1, 1, entry(1), entry(2)));
        assertThat(log.durable()).isOne();
    }

    @Test
    void repeatsAMessageWhoseAnswerWasLost() {
        TokenLog log = open(List.of(), List.of());
        first.receiveMessage();
        holds(log, 1, 0);
        log.append(entry(0));
        log.flush();
        first.expectMessage(append(1, 0, entry(0)));

        pass(log, 401);

        first.expectMessage(append(1, 0, entry(0)));
        holds(log, 1, 1);
        holds(log, 1, 1);
        assertThat(log.durable()).isOne();
        assertThat(first.hasMessages()).isFalse();
    }

    @Test
    void givesAllToAnotherFollowerWhenItsOwnIsLostAndBelievesNoLateAnswer() {
        TokenLog log = open(List.of(), List.of());
        first.receiveMessage();
        holds(log, 1, 0);
        log.append(entry(0));
        log.flush();
        first.receiveMessage();
        others.removeFirst();

        pass(log, 1);

        second.expectMessage(opening(2, Duration.ofMillis(1)));
        holds(log, 1, 1);
        assertThat(log.durable()).isZero();
        holds(log, 2, 0);
        second.expectMessage(append(2, 0, entry(0)));
        holds(log, 2, 1);
        assertThat(log.durable()).isOne();
        // Should it live after all, it need not hold the log any more.
        first.expectMessage(new LogKeeper.Forget(ID, TERM));
    }

    @Test
    void leavesAFollowerThatIsSilent() {
        TokenLog log = open(List.of(), List.of());
        first.receiveMessage();

        pass(log, 1501);

        assertThat(second.receiveMessage()).isInstanceOf(LogKeeper.Open.class);
    }

    @Test
    void opensAgainWithAFollowerThatHasForgotten() {
        TokenLog log = open(List.of(entry(0)), List.of());
        first.receiveMessage();
        holds(log, 1, 1);

        log.append(entry(1));
        log.flush();
        first.receiveMessage();
        log.on(new LogKeeper.Missing(ID, TERM, 1));
        log.flush();

        first.expectMessage(opening(2, Duration.ZERO));
        holds(log, 2, 0);
        first.expectMessage(append(2, 0, entry(0), entry(1)));
    }

    @Test
    void followsTheOneThatHasTheLogAlready() {
        TokenLog log = open(List.of(entry(0)), List.of(others.getLast()));

        second.expectMessage(opening(1, Duration.ZERO));
        holds(log, 1, 1);

        assertThat(log.durable()).isOne();
        assertThat(second.hasMessages()).isFalse();
        assertThat(first.hasMessages()).isFalse();
    }

    @Test
    void givesASignOfLifeWhenNothingHappens() {
        TokenLog log = open(List.of(), List.of());
        first.receiveMessage();
        holds(log, 1, 0);

        pass(log, 4999);
        assertThat(first.hasMessages()).isFalse();
        pass(log, 2);

        first.expectMessage(append(1, 0));
    }

    @Test
    void saysNothingMoreWhenAnotherOwnerHasTakenItOver() {
        TokenLog log = open(List.of(), List.of());
        first.receiveMessage();

        log.on(new LogKeeper.Refused(ID, TERM.next(7)));
        log.append(entry(0));
        log.flush();
        pass(log, 9000);

        assertThat(log.takenBy()).contains(TERM.next(7));
        assertThat(log.durable()).isZero();
        assertThat(first.hasMessages()).isFalse();
        assertThat(second.hasMessages()).isFalse();
    }

    @Test
    void isDurableAtOnceWhereThereIsNobodyAndFollowedWhenSomebodyComes() {
        others.clear();
        TokenLog log = open(List.of(), List.of());
        log.append(entry(0));
        log.flush();
        assertThat(log.durable()).isOne();

        others.add(new LogHolders.Holder("second", second.getRef()));
        pass(log, 200);

        second.expectMessage(opening(1, Duration.ofMillis(200)));
        assertThat(log.durable()).isOne();
        holds(log, 1, 0);
        second.expectMessage(append(1, 0, entry(0)));
    }

    @Test
    void tellsAllHoldersToForgetWhenItIsClosed() {
        TokenLog log = open(List.of(), List.of());
        first.receiveMessage();
        pass(log, 1501);
        second.receiveMessage();

        log.close();

        first.expectMessage(new LogKeeper.Forget(ID, TERM));
        second.expectMessage(new LogKeeper.Forget(ID, TERM));
    }
}
