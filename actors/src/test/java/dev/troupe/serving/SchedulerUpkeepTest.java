package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardWork;
import dev.troupe.stage.StepBatch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.Test;

/** What a scheduler does about an epoch that serves: late steps, slow devices, growing back, canaries. */
class SchedulerUpkeepTest extends SchedulerFixture {
    private static final Duration SECOND = Duration.ofSeconds(1);
    private static final SchedulerSettings.Slow SLOW =
            new SchedulerSettings.Slow(3, Duration.ofSeconds(3), Duration.ofSeconds(30));

    private final AtomicLong now = new AtomicLong();
    private final Queue<Scheduler.Update> updates = new ConcurrentLinkedQueue<>();
    private final ActorRef<Scheduler.Update> recorder = kit.spawn(Behaviors.<Scheduler.Update>receiveMessage(update -> {
        updates.add(update);
        return Behaviors.same();
    }));
    private final List<Integer> tokens = new ArrayList<>();

    private ActorRef<Scheduler.Command> scheduler(FakeReplica replica, SchedulerSettings settings) {
        return kit.spawn(Scheduler.create(settings, replica.placement(), now::get));
    }

    private Submission submit(ActorRef<Scheduler.Command> scheduler, String id, int promptLength, int maxTokens) {
        Submission submission = submission(id, promptLength, maxTokens);
        scheduler.tell(new Scheduler.Submit(submission, recorder));
        await("an update", () -> !updates.isEmpty());
        assertThat(updates.remove()).isInstanceOf(Scheduler.Accepted.class);
        return submission;
    }

    private void receiveTokens(int advances) {
        for (int i = 0; i < advances; i++) {
            await("an update", () -> !updates.isEmpty());
            Scheduler.Update update = updates.remove();
            assertThat(update).isInstanceOf(Scheduler.Advanced.class);
            for (Output output : ((Scheduler.Advanced) update).outputs()) {
                tokens.add(((Output.Token) output).token());
            }
        }
    }

    private void serveOne(ActorRef<Scheduler.Command> scheduler) {
        submit(scheduler, "warm", 3, 2);
        receiveTokens(2);
        tokens.clear();
    }

    private void pass(Duration duration) {
        now.addAndGet(duration.toNanos());
        time.timePasses(duration);
    }

    /** A second passes, a step gives a token, and a look has been judged. */
    private void second(FakeReplica replica, ActorRef<Scheduler.Command> scheduler) {
        await("a step in flight", () -> replica.stepsHeld() > 0);
        stats(scheduler);
        int looks = replica.inquiries();
        pass(SECOND);
        await("a look", () -> replica.inquiries() > looks || !replica.isForming(1));
        stats(scheduler);
        if (replica.isForming(1)) {
            replica.releaseOneIfAny();
            // The look may be judged only now: what the step gives is of no use in the next epoch.
            await("a token or the next epoch", () -> !updates.isEmpty() || !replica.isForming(1));
            receiveTokens(updates.size());
        }
    }

    /** Ranks of {@code stages} stages of two that work on, the slow ones ten times as long. */
    private static final class Workers {
        private final int stages;
        private final List<ShardId> slow = new ArrayList<>();
        private int possible;
        private long looks;

        Workers(int stages, int possible) {
            this.stages = stages;
            this.possible = possible;
        }

        synchronized Workers slow(int stage, int rank) {
            slow.add(new ShardId(Epoch.NONE, stage, rank));
            return this;
        }

        synchronized Placement.Findings look(Epoch epoch) {
            looks++;
            List<Placement.RankReport> ranks = new ArrayList<>();
            for (int stage = 0; stage < stages; stage++) {
                for (int rank = 0; rank < 2; rank++) {
                    boolean isSlow = slow.contains(new ShardId(Epoch.NONE, stage, rank));
                    long units = 100 * looks;
                    ShardWork work = new ShardWork(units, units, units, units * (isSlow ? 5_000_000 : 500_000));
                    ranks.add(new Placement.RankReport(
                            new ShardId(epoch, stage, rank), Placement.RankReport.State.OTHER, work));
                }
            }
            return new Placement.Findings(ranks, possible);
        }
    }

    @Test
    void leavesASlowDeviceAndNoStreamDiffers() {
        FakeReplica replica = new FakeReplica(kit, 2, 2, 20, 4);
        replica.find(new Workers(2, 2).slow(1, 1)::look);
        ActorRef<Scheduler.Command> scheduler =
                scheduler(replica, settings(2, 2).withSlow(SLOW));
        serveOne(scheduler);
        replica.hold();
        Submission submission = submit(scheduler, "a", 9, 20);

        for (int second = 0; second < 15 && replica.isForming(1); second++) {
            second(replica, scheduler);
        }
        await("the next epoch", () -> replica.isForming(2));
        replica.release();
        receiveTokens(20 - tokens.size());

        assertThat(tokens).isEqualTo(CountingReplica.completion(submission, 0));
        assertThat(replica.requests().getFirst().avoid()).isEmpty();
        assertThat(replica.requests().getLast().avoid()).containsExactly("127.0.0.2:2551#1/cpu0");
        assertThat(stats(scheduler).epochsLeft()).isEqualTo(1);
        assertThat(stats(scheduler).epochsLost()).isZero();
        assertThat(stats(scheduler).freeBlocks()).isEqualTo(20);
    }

    @Test
    void keepsASlowDeviceWhoseRanksNobodyElseCanTake() {
        FakeReplica replica = new FakeReplica(kit, 2, 2, 20, 4);
        replica.find(new Workers(2, 0).slow(1, 1)::look);
        ActorRef<Scheduler.Command> scheduler =
                scheduler(replica, settings(2, 2).withSlow(SLOW));
        serveOne(scheduler);
        replica.hold();
        submit(scheduler, "a", 9, 20);

        for (int second = 0; second < 15; second++) {
            second(replica, scheduler);
        }

        assertThat(stats(scheduler).epochsLeft()).isZero();
        assertThat(stats(scheduler).pipeline().ranks())
                .as("what ranks have done, as of the last look")
                .allMatch(rank -> rank.computeNanos() > 0)
                .anyMatch(rank -> rank.computeNanos()
                        >= 10 * stats(scheduler).pipeline().ranks().getFirst().computeNanos());
    }

    @Test
    void doesNothingWhereAllDevicesAreSlow() {
        FakeReplica replica = new FakeReplica(kit, 1, 2, 20, 4);
        replica.find(new Workers(1, 2).slow(0, 0).slow(0, 1)::look);
        ActorRef<Scheduler.Command> scheduler =
                scheduler(replica, settings(1, 2).withSlow(SLOW));
        serveOne(scheduler);
        replica.hold();
        submit(scheduler, "a", 9, 20);

        for (int second = 0; second < 15; second++) {
            second(replica, scheduler);
        }

        assertThat(stats(scheduler).epochsLeft()).isZero();
    }

    @Test
    void doesNotComeAndGoWhenOtherDevicesBecomeSlowInTurn() {
        FakeReplica replica = new FakeReplica(kit, 1, 2, 60, 4);
        Workers[] workers = {new Workers(1, 2).slow(0, 0), new Workers(1, 2).slow(0, 1)};
        replica.find(epoch -> workers[(int) epoch.round() % 2].look(epoch));
        ActorRef<Scheduler.Command> scheduler =
                scheduler(replica, settings(1, 2).withSlow(SLOW));
        serveOne(scheduler);
        replica.hold();
        submit(scheduler, "a", 9, 90);

        int seconds = 60;
        for (int second = 0; second < seconds; second++) {
            await("a step in flight", () -> replica.stepsHeld() > 0);
            stats(scheduler);
            pass(SECOND);
            stats(scheduler);
            if (second % 4 == 0) {
                replica.releaseOneIfAny();
            }
        }

        // Two in any 20 s, whatever the looks say.
        assertThat(stats(scheduler).epochsLeft()).isBetween(2L, 2L * seconds / 20);
        assertThat(stats(scheduler).generations()).isEqualTo(1);
    }

    @Test
    void growsBackWhenThereWasRoomForAWhileAndItIsIdle() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.find(_ -> new Placement.Findings(List.of(), 1));
        ActorRef<Scheduler.Command> scheduler =
                scheduler(replica, settings(2, 2).withWaits(WAITS.withGrow(Duration.ofSeconds(5))));
        serveOne(scheduler);
        for (int second = 0; second < 20; second++) {
            look(replica, scheduler);
        }
        assertThat(replica.isForming(1)).isTrue();

        replica.find(_ -> new Placement.Findings(List.of(), 4));
        for (int second = 0; second < 5; second++) {
            look(replica, scheduler);
        }
        assertThat(replica.isForming(1)).isTrue();
        for (int second = 0; second < 10 && replica.isForming(1); second++) {
            look(replica, scheduler);
        }

        await("the next epoch", () -> replica.isForming(2));
        await("that it serves", () -> stats(scheduler).serving());
        assertThat(stats(scheduler).epochsLeft()).isEqualTo(1);
    }

    private void look(FakeReplica replica, ActorRef<Scheduler.Command> scheduler) {
        int looks = replica.inquiries();
        pass(SECOND);
        await("a look", () -> replica.inquiries() > looks || !replica.isForming(1));
        stats(scheduler);
    }

    @Test
    void looksAtNothingWhereAllIsWellAndIdle() {
        FakeReplica replica = new FakeReplica(kit, 2, 2, 20, 4);
        ActorRef<Scheduler.Command> scheduler =
                scheduler(replica, settings(2, 2).withSlow(SLOW).withWaits(WAITS.withGrow(Duration.ofSeconds(5))));
        serveOne(scheduler);
        int looks = replica.inquiries();

        for (int second = 0; second < 20; second++) {
            pass(SECOND);
            stats(scheduler);
        }

        assertThat(replica.inquiries()).isEqualTo(looks);
    }

    @Test
    void waitsForAStepThatIsLateWhileARankComputes() {
        FakeReplica replica = new FakeReplica(kit, 1, 2, 20, 4);
        Workers workers = new Workers(1, 2);
        replica.find(workers::look);
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, settings(1, 2));
        serveOne(scheduler);
        replica.hold();
        Submission submission = submit(scheduler, "a", 9, 20);
        await("a step in flight", () -> replica.stepsHeld() == 1);
        stats(scheduler);
        pass(STEP);
        await("a question", () -> replica.inquiries() == 1);
        for (int second = 0; second < 10; second++) {
            look(replica, scheduler);
        }

        replica.release();
        receiveTokens(20);

        assertThat(tokens).isEqualTo(CountingReplica.completion(submission, 0));
        assertThat(stats(scheduler).epochsLost()).isZero();
    }

    @Test
    void losesTheEpochWhereNoRankGetsFurther() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.find(epoch -> new Placement.Findings(
                List.of(new Placement.RankReport(
                        new ShardId(epoch, 0, 0), Placement.RankReport.State.OTHER, new ShardWork(7, 7, 7, 7))),
                1));
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, settings(1, 1));
        serveOne(scheduler);
        replica.hold();
        Submission submission = submit(scheduler, "a", 9, 20);
        await("a step in flight", () -> replica.stepsHeld() == 1);
        stats(scheduler);
        pass(STEP);
        await("a question", () -> replica.inquiries() == 1);
        assertThat(stats(scheduler).epochsLost()).isZero();

        pass(StepDoubt.AGAIN);

        await("the step in a new epoch", () -> replica.isForming(2) && replica.stepsHeld() == 1);
        replica.release();
        receiveTokens(20);
        assertThat(tokens).isEqualTo(CountingReplica.completion(submission, 0));
        assertThat(stats(scheduler).epochsLost()).isEqualTo(1);
    }

    private ActorRef<Scheduler.Command> withCanary(FakeReplica replica) {
        return scheduler(replica, settings(1, 1).withWaits(WAITS.withCanary(Duration.ofSeconds(5))));
    }

    @Test
    void sendsACanaryWhenThereIsNothingToDoAndNobodyHearsOfIt() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = withCanary(replica);
        serveOne(scheduler);
        SchedulerStats before = stats(scheduler);
        int steps = replica.batches().size();

        for (int canary = 1; canary <= 3; canary++) {
            int expected = steps + canary;
            pass(Duration.ofSeconds(5));
            await("a canary", () -> replica.batches().size() == expected);
            await("its end", () -> stats(scheduler).freeBlocks() == 20);
        }

        assertThat(replica.batches().getLast().tokens()).isEqualTo(1);
        assertThat(updates).isEmpty();
        assertThat(stats(scheduler)).isEqualTo(before);
    }

    @Test
    void sendsNoCanaryWhileItIsBusy() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler = withCanary(replica);
        serveOne(scheduler);
        replica.hold();
        submit(scheduler, "a", 9, 5);
        for (int token = 0; token < 5; token++) {
            await("a step in flight", () -> replica.stepsHeld() == 1);
            stats(scheduler);
            pass(STEP.minusMillis(1));
            replica.releaseOne();
            receiveTokens(1);
        }

        assertThat(replica.batches()).hasSize(2 + 5);
    }

    @Test
    void replacesADeviceThatHangsWhileNobodyAsksForAnything() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.find(epoch -> new Placement.Findings(
                List.of(new Placement.RankReport(
                        new ShardId(epoch, 0, 0), Placement.RankReport.State.STUCK, new ShardWork(7, 7, 7, 7))),
                1));
        ActorRef<Scheduler.Command> scheduler = withCanary(replica);
        serveOne(scheduler);
        replica.hold();
        pass(Duration.ofSeconds(5));
        await("a canary", () -> replica.stepsHeld() == 1);
        stats(scheduler);

        pass(STEP);

        await("a new epoch", () -> replica.isForming(2));
        await("that it serves", () -> stats(scheduler).serving());
        assertThat(stats(scheduler).epochsLost()).isEqualTo(1);
        replica.release();
        serveOne(scheduler);
    }

    @Test
    void doesNotLetARequestWaitForACanary() {
        FakeReplica replica = new FakeReplica(kit, 2, 1, 20, 4);
        ActorRef<Scheduler.Command> scheduler =
                scheduler(replica, settings(2, 1).withWaits(WAITS.withCanary(Duration.ofSeconds(5))));
        serveOne(scheduler);
        replica.hold();
        pass(Duration.ofSeconds(5));
        await("a canary", () -> replica.stepsHeld() == 1);

        Submission submission = submit(scheduler, "a", 9, 20);

        await("both in flight", () -> replica.stepsHeld() == 2);
        assertThat(replica.batches().getLast().entries()).hasSize(1);
        replica.release();
        receiveTokens(20);
        assertThat(tokens).isEqualTo(CountingReplica.completion(submission, 0));
        assertThat(stats(scheduler).freeBlocks()).isEqualTo(20);
        assertThat(replica.batches().stream().mapToInt(StepBatch::tokens).sum()).isEqualTo(4 + 1 + 28);
    }
}
