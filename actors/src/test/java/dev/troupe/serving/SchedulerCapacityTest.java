package dev.troupe.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.Test;

/** What a scheduler does while no epoch is to be had. */
class SchedulerCapacityTest extends SchedulerFixture {
    @Test
    void endsWhatWaitsWhenThereIsNoPlaceAndServesWhenThereIs() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.refuse("needs 4 compute slots, there are 2");
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        await("the refusal", () -> {
            time.timePasses(WAITS.retry());
            return stats(scheduler).generations() == 0;
        });
        assertThat(expectFailure())
                .isEqualTo(new GenerationFailure(
                        GenerationFailure.Kind.NO_CAPACITY, "needs 4 compute slots, there are 2"));

        replica.refuse(null);
        await("an epoch", () -> {
            time.timePasses(WAITS.retry());
            return stats(scheduler).serving();
        });
        Submission submission = submission("b", 3, 2);
        scheduler.tell(new Scheduler.Submit(submission, generation.getRef()));

        generation.expectMessageClass(Scheduler.Accepted.class);
        assertThat(tokens(receive(2), 0)).isEqualTo(CountingReplica.completion(submission, 0));
    }

    @Test
    void endsWhatWaitsWhenPlacementDoesNotAnswer() {
        TestProbe<Placement.Command> silent = kit.createTestProbe();
        ActorRef<Scheduler.Command> scheduler = kit.spawn(Scheduler.create(settings(1, 1), silent.getRef(), () -> 0));
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        silent.expectMessageClass(Placement.Request.class);

        time.timePasses(WAITS.placement());

        assertThat(expectFailure())
                .isEqualTo(new GenerationFailure(
                        GenerationFailure.Kind.NO_CAPACITY, "no answer about placement within 3600.0 s"));
    }

    @Test
    void endsWhatWaitsWhenTheReplicaCanNeverBeFormedAndTriesAgainLater() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.formNoMore();
        ActorRef<Scheduler.Command> scheduler = scheduler(replica, 1, 1);
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        for (int epoch = 1; epoch <= 4; epoch++) {
            int round = epoch;
            await("forming", () -> {
                time.timePasses(WAITS.retry());
                return replica.isForming(round);
            });
            generation.expectNoMessage(Duration.ZERO);
            replica.lose(0, -1, "model.safetensors is truncated");
        }

        assertThat(expectFailure())
                .isEqualTo(
                        new GenerationFailure(
                                GenerationFailure.Kind.NO_CAPACITY,
                                "4 epochs in a row were lost before they gave a result, the last one: model.safetensors is truncated"));
        await("another try", () -> {
            time.timePasses(WAITS.retry());
            return replica.isForming(5);
        });
    }

    @Test
    void waitsForCapacityAsLongAsItMayAndThenSaysWhatIsMissingAtOnce() {
        FakeReplica replica = new FakeReplica(kit, 1, 1, 20, 4);
        replica.refuse("needs 4 compute slots, there are 2");
        AtomicLong now = new AtomicLong();
        SchedulerSettings settings = settings(1, 1).withWaits(WAITS.withCapacity(Duration.ofSeconds(30)));
        ActorRef<Scheduler.Command> scheduler = kit.spawn(Scheduler.create(settings, replica.placement(), now::get));
        scheduler.tell(new Scheduler.Submit(submission("a", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        for (int second = 0; second < 5; second++) {
            stats(scheduler);
            time.timePasses(WAITS.retry());
        }
        generation.expectNoMessage(Duration.ZERO);
        assertThat(stats(scheduler).generations()).isEqualTo(1);

        now.set(Duration.ofSeconds(30).toNanos());
        await("the end of patience", () -> {
            time.timePasses(WAITS.retry());
            return stats(scheduler).generations() == 0;
        });

        GenerationFailure missing =
                new GenerationFailure(GenerationFailure.Kind.NO_CAPACITY, "needs 4 compute slots, there are 2");
        assertThat(expectFailure()).isEqualTo(missing);
        scheduler.tell(new Scheduler.Submit(submission("b", 3, 4), generation.getRef()));
        generation.expectMessageClass(Scheduler.Accepted.class);
        assertThat(expectFailure()).isEqualTo(missing);
    }
}
