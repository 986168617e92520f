package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kvcache.PrefixCounts;
import dev.troupe.stage.StepBatch;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.Test;

/** What a scheduler keeps of sequences for others; blocks hold 4 tokens. */
class SchedulerPrefixTest extends SchedulerFixture {
    /** Runs a generation of three tokens to its end; the tokens of its prompt that were there. */
    private int serve(ActorRef<Scheduler.Command> scheduler, String id, int promptLength) {
        Submission submission = submission(id, promptLength, 3);
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        List<Scheduler.Advanced> advances = receive(3);
        assertThat(tokens(advances, 0)).isEqualTo(CountingReplica.completion(submission, 0));
        assertThat(advances.stream().map(Scheduler.Advanced::cachedTokens).distinct())
                .hasSize(1);
        return advances.getFirst().cachedTokens();
    }

    @Test
    void computesOnlyTheRestOfAPromptThatBeginsLikeAnEarlierOneAndSaysSo() {
        FakeReplica replica = new FakeReplica(kit, 2, 2, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 2, 2);

        int first = serve(scheduler, "a", 14);
        int second = serve(scheduler, "b", 17);

        assertThat(List.of(first, second)).containsExactly(0, 12);
        SchedulerStats stats = stats(scheduler);
        assertThat(stats.tokens()).isEqualTo(14 + 2 + 5 + 2);
        assertThat(stats.prefixes()).isEqualTo(new PrefixCounts(12 + 16, 12, 5, 0));
        assertThat(stats.freeBlocks()).as("kept blocks are free").isEqualTo(20);
    }

    @Test
    void keepsNothingWhereItIsToldNotTo() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler =
                kit.spawn(Scheduler.create(settings(1, 1).withPrefixCache(false), replica.placement(), () -> 0));

        int first = serve(scheduler, "a", 14);
        int second = serve(scheduler, "b", 14);

        assertThat(List.of(first, second)).containsExactly(0, 0);
        assertThat(stats(scheduler).prefixes()).isEqualTo(PrefixCounts.NONE);
    }

    @Test
    void beginsWithNothingInANewEpochAndCountsOn() {
        FakeReplica replica = new FakeReplica(kit, 2, 2, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 2, 2);
        serve(scheduler, "a", 14);
        serve(scheduler, "b", 14);

        replica.lose(1, 0, "node 127.0.0.2 was lost; it hosted stage 1 rank 0");
        int after = serve(scheduler, "c", 14);
        int again = serve(scheduler, "d", 14);

        assertThat(List.of(after, again)).containsExactly(0, 12);
        StepBatch first = replica.batches().stream()
                .filter(batch -> batch.epoch().equals(replica.epoch()))
                .findFirst()
                .orElseThrow();
        assertThat(first.entries().getFirst().firstPosition()).isZero();
        assertThat(stats(scheduler).prefixes()).isEqualTo(new PrefixCounts(4 * 12, 2 * 12, 4, 0));
    }

    @Test
    void goesOnWithTheSameTokensWhenAnEpochIsLostUnderASequenceThatSharesBlocks() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        serve(scheduler, "a", 14);
        replica.hold();
        Submission submission = submission("b", 15, 6);
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        await("a step in flight", () -> replica.stepsHeld() == 1);
        replica.releaseOne();
        Scheduler.Advanced before = receive(1).getFirst();
        await("a step in flight", () -> replica.stepsHeld() == 1);

        replica.lose(0, 0, "node 127.0.0.1 was lost; it hosted stage 0 rank 0");
        replica.release();

        List<Scheduler.Advanced> advances = new ArrayList<>(List.of(before));
        advances.addAll(receive(5));
        assertThat(tokens(advances, 0)).isEqualTo(CountingReplica.completion(submission, 0));
        assertThat(before.cachedTokens()).isEqualTo(12);
        assertThat(advances.getLast().epoch()).isNotEqualTo(before.epoch());
    }

    @Test
    void keepsWhatACancelledGenerationHasComputed() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 40, 4);
        replica.hold();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        Submission cancelled = submission("a", 40, 3);
        scheduler.tell(new Scheduler.Submit(cancelled, generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        await("a step in flight", () -> replica.stepsHeld() == 1);
        replica.releaseOne();
        await("the next chunk", () -> replica.batches().size() == 2);

        scheduler.tell(new Scheduler.Cancel(cancelled.id()));
        stats(scheduler);
        replica.release();

        assertThat(serve(scheduler, "b", 40)).as("one chunk of 16").isEqualTo(16);
    }
}
