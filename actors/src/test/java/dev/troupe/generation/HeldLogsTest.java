package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.serving.FinishReason;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Output;
import dev.troupe.stage.Epoch;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.junit.jupiter.api.Test;

class HeldLogsTest {
    private static final GenerationId ID = new GenerationId("g", "a");
    private static final OwnerTerm FIRST = OwnerTerm.first(1);
    private static final OwnerTerm SECOND = FIRST.next(2);
    private static final GenerationRequest REQUEST =
            GenerationRequest.of("m", Ints.of(1, 2)).build();
    private static final Duration ABANDONED_AFTER = Duration.ofSeconds(30);

    private final TestInbox<LogKeeper.Answer> owner = TestInbox.create();
    private long now;
    private final HeldLogs logs = new HeldLogs(ABANDONED_AFTER, () -> now);

    static LogEntry entry(int position) {
        return new LogEntry.Computed(new Epoch(1, 1), new Output.Token(0, position, position, 0, Float.NaN, List.of()));
    }

    private LogKeeper.Answer open(OwnerTerm term) {
        return logs.open(new LogKeeper.Open(ID, term, 1, REQUEST, Duration.ZERO, owner.getRef()));
    }

    private LogKeeper.Answer append(OwnerTerm term, long first, LogEntry... entries) {
        return logs.append(new LogKeeper.Append(ID, term, 1, first, List.of(entries), owner.getRef()));
    }

    private LogKeeper.Answer claim(OwnerTerm term) {
        return logs.claim(new LogKeeper.Claim(ID, term, 0, owner.getRef()));
    }

    private static LogKeeper.Answer holds(OwnerTerm term, long entries) {
        return new LogKeeper.Holds(ID, term, 1, entries);
    }

    private List<LogEntry> held(OwnerTerm term) {
        return ((LogKeeper.Page) logs.read(new LogKeeper.Read(ID, term, 0, 0, owner.getRef()))).entries();
    }

    @Test
    void holdsWhatIsAppendedOnceHoweverOftenItComes() {
        open(FIRST);

        assertThat(append(FIRST, 0, entry(0), entry(1))).isEqualTo(holds(FIRST, 2));
        assertThat(append(FIRST, 0, entry(0), entry(1))).isEqualTo(holds(FIRST, 2));
        assertThat(append(FIRST, 1, entry(1), entry(2))).isEqualTo(holds(FIRST, 3));
        assertThat(held(FIRST)).containsExactly(entry(0), entry(1), entry(2));
    }

    @Test
    void showsTheLogOfATicketToItsTenantOnly() {
        GenerationRequest request = GenerationRequest.of("m", Ints.of(1))
                .ticket(new Ticket("t", "team-a", "{}"))
                .build();
        logs.open(new LogKeeper.Open(ID, FIRST, 1, request, Duration.ZERO, owner.getRef()));

        assertThat(show("t", "team-a")).contains(new LogKeeper.Held(ID, request, false));
        assertThat(show("t", "team-b")).isEmpty();
        assertThat(show("u", "team-a")).isEmpty();
        logs.forget(new LogKeeper.Forget(ID, FIRST));
        assertThat(show("t", "team-a")).isEmpty();
    }

    @Test
    void saysWhetherAllChoicesHaveEnded() {
        GenerationRequest request = GenerationRequest.of("m", Ints.of(1))
                .n(2)
                .ticket(new Ticket("t", "team-a", "{}"))
                .build();
        logs.open(new LogKeeper.Open(ID, FIRST, 1, request, Duration.ZERO, owner.getRef()));

        append(FIRST, 0, entry(0), new LogEntry.Finished(1, 0, FinishReason.STOP));
        assertThat(show("t", "team-a")).contains(new LogKeeper.Held(ID, request, false));
        append(FIRST, 2, new LogEntry.Finished(0, 1, FinishReason.LENGTH));

        assertThat(show("t", "team-a")).contains(new LogKeeper.Held(ID, request, true));
    }

    private Optional<LogKeeper.Held> show(String ticket, String tenant) {
        TestInbox<LogKeeper.Shown> asker = TestInbox.create();
        return logs.show(new LogKeeper.Show(ticket, tenant, asker.getRef()));
    }

    @Test
    void takesNothingBehindAGap() {
        open(FIRST);
        append(FIRST, 0, entry(0));

        assertThat(append(FIRST, 2, entry(2))).isEqualTo(holds(FIRST, 1));
        assertThat(held(FIRST)).containsExactly(entry(0));
    }

    @Test
    void saysThatALogIsMissingThatWasNeverOpened() {
        assertThat(append(FIRST, 0, entry(0))).isEqualTo(new LogKeeper.Missing(ID, FIRST, 1));
        assertThat(logs.seek(new LogKeeper.Seek(ID, 3, owner.getRef())))
                .isEqualTo(new LogKeeper.NotHere(ID, 3, OwnerTerm.NONE));
    }

    @Test
    void keepsItsEntriesWhenItIsOpenedAgainInTheSameTerm() {
        open(FIRST);
        append(FIRST, 0, entry(0));

        assertThat(open(FIRST)).isEqualTo(holds(FIRST, 1));
    }

    @Test
    void givesAllToTheNewOwnerAndRefusesTheOldOne() {
        open(FIRST);
        append(FIRST, 0, entry(0), entry(1));
        now = Duration.ofSeconds(3).toNanos();

        assertThat(claim(SECOND))
                .isEqualTo(new LogKeeper.Claimed(ID, SECOND, REQUEST, 2, Duration.ofSeconds(3)))
                .isEqualTo(claim(SECOND));
        assertThat(append(FIRST, 2, entry(2))).isEqualTo(new LogKeeper.Refused(ID, SECOND));
        assertThat(open(FIRST)).isEqualTo(new LogKeeper.Refused(ID, SECOND));
        assertThat(claim(FIRST)).isEqualTo(new LogKeeper.Refused(ID, SECOND));
        assertThat(held(SECOND)).containsExactly(entry(0), entry(1));
        assertThat(open(SECOND)).isEqualTo(holds(SECOND, 2));
    }

    @Test
    void refusesAnOldOwnerEvenWhenTheLogIsGone() {
        open(FIRST);
        claim(SECOND);

        logs.forget(new LogKeeper.Forget(ID, SECOND));

        assertThat(logs.size()).isZero();
        assertThat(append(FIRST, 0, entry(0))).isEqualTo(new LogKeeper.Refused(ID, SECOND));
        assertThat(open(FIRST)).isEqualTo(new LogKeeper.Refused(ID, SECOND));
        assertThat(claim(SECOND.next(3))).isEqualTo(new LogKeeper.NotHere(ID, 0, SECOND));
    }

    @Test
    void refusesLowerTermsFromAFenceOnAndDropsTheirCopy() {
        open(FIRST);

        assertThat(logs.fence(new LogKeeper.Fence(ID, SECOND, 4, owner.getRef())))
                .isEqualTo(new LogKeeper.Fenced(ID, SECOND, 4));

        assertThat(logs.size()).isZero();
        assertThat(append(FIRST, 0, entry(0))).isEqualTo(new LogKeeper.Refused(ID, SECOND));
        assertThat(logs.fence(new LogKeeper.Fence(ID, FIRST, 4, owner.getRef())))
                .isEqualTo(new LogKeeper.Refused(ID, SECOND));
        assertThat(open(SECOND)).isEqualTo(holds(SECOND, 0));
        append(SECOND, 0, entry(0));
        logs.fence(new LogKeeper.Fence(ID, SECOND, 4, owner.getRef()));
        assertThat(held(SECOND)).containsExactly(entry(0));
    }

    @Test
    void doesNotForgetForAnOwnerThatHasBeenReplaced() {
        open(FIRST);
        claim(SECOND);

        logs.forget(new LogKeeper.Forget(ID, FIRST));

        assertThat(logs.size()).isOne();
    }

    @Test
    void dropsALogWhoseOwnerGivesNoSignOfLifeAndInTimeItsTermToo() {
        open(FIRST);
        now = ABANDONED_AFTER.toNanos();
        append(FIRST, 0);
        now += ABANDONED_AFTER.toNanos();
        assertThat(logs.sweep()).isEmpty();

        now++;

        assertThat(logs.sweep()).containsExactly(ID);
        assertThat(logs.size()).isZero();
        logs.forget(new LogKeeper.Forget(ID, SECOND));
        now += HeldLogs.FENCED_FOR.toNanos() + 1;
        assertThat(logs.sweep()).isEmpty();
        assertThat(open(FIRST)).isEqualTo(holds(FIRST, 0));
    }
}
