package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.troupe.serving.FinishReason;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Output;
import dev.troupe.serving.Router;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.Submission;
import dev.troupe.stage.Epoch;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SuccessionTest {
    private static final GenerationId ID = new GenerationId("g1", "a");
    private static final GenerationId HERE = new GenerationId("g1", "b");
    private static final Epoch EPOCH = new Epoch(2, 1);
    private static final Generation.Settings SETTINGS =
            new Generation.Settings(Duration.ofSeconds(5), Duration.ofMinutes(10), Duration.ofSeconds(20), 3);
    private static final GenerationRequest REQUEST = GenerationRequest.of("m", Ints.of(1, 2))
            .maxTokens(3)
            .n(2)
            .deadline(Duration.ofSeconds(60))
            .build();
    private static final Config PATIENT =
            ConfigFactory.parseString("pekko.actor.testkit.typed.single-expect-default = 30s");

    private final ActorTestKit kit = ActorTestKit.create(ManualTime.config().withFallback(PATIENT));
    private final ManualTime time = ManualTime.get(kit.system());
    private final TestProbe<Scheduler.Command> scheduler = kit.createTestProbe();
    private final TestProbe<GenerationEvent> subscriber = kit.createTestProbe();
    private final TestProbe<Generation.Resumption> client = kit.createTestProbe();
    private final TestProbe<LogKeeper.Answer> oldOwner = kit.createTestProbe();
    private final ActorRef<LogKeeper.Command> first = kit.spawn(LogKeeper.create(Duration.ofSeconds(30), () -> 0));
    private final ActorRef<LogKeeper.Command> second = kit.spawn(LogKeeper.create(Duration.ofSeconds(30), () -> 0));
    private final TestProbe<LogKeeper.Command> silent = kit.createTestProbe();

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    private static LogEntry token(int choice, int position, int token) {
        return new LogEntry.Computed(EPOCH, new Output.Token(choice, position, token, 0, Float.NaN, List.of()));
    }

    private void hold(ActorRef<LogKeeper.Command> keeper, OwnerTerm term, List<LogEntry> entries) {
        keeper.tell(new LogKeeper.Open(ID, term, 1, REQUEST, Duration.ofSeconds(20), oldOwner.getRef()));
        oldOwner.receiveMessage();
        keeper.tell(new LogKeeper.Append(ID, term, 1, 0, entries, oldOwner.getRef()));
        oldOwner.expectMessage(new LogKeeper.Holds(ID, term, 1, entries.size()));
    }

    /** Every keeper is asked; nobody follows, so that what is logged is durable at once. */
    private ActorRef<Generation.Command> resume(List<ActorRef<LogKeeper.Command>> keepers) {
        LogHolders holders = new LogHolders() {
            @Override
            public long self() {
                return 9;
            }

            @Override
            public List<Holder> others() {
                return List.of();
            }

            @Override
            public List<Holder> all() {
                return keepers.stream()
                        .map(keeper -> new Holder(keeper.path().name(), keeper))
                        .toList();
            }
        };
        ActorRef<Generation.Command> generation = kit.spawn(Generation.create(
                HERE,
                new Generation.Setup(
                        Router.single("m", scheduler.getRef()),
                        ReplicatedTokenLog.factory(holders, Duration.ofSeconds(5), () -> 0),
                        holders,
                        SETTINGS)));
        generation.tell(new Generation.Resume(ID, REQUEST, client.getRef()));
        return generation;
    }

    private List<LogEntry> read(ActorRef<Generation.Command> generation, int count) {
        generation.tell(new Generation.Subscribe(1, 0, 100, subscriber.getRef()));
        List<LogEntry> read = new ArrayList<>();
        while (read.size() < count) {
            read.addAll(
                    subscriber.expectMessageClass(GenerationEvent.Entries.class).entries());
        }
        return read;
    }

    @Test
    void goesOnWithTheNewestCopyAndSubmitsTheTokensThatItHas() {
        List<LogEntry> log = List.of(token(0, 2, 10), token(1, 2, 20), token(1, 3, 21), token(1, 4, 22));
        List<LogEntry> all = new ArrayList<>(log);
        all.add(new LogEntry.Finished(1, 3, FinishReason.LENGTH));
        hold(first, OwnerTerm.first(1), log.subList(0, 2));
        hold(second, OwnerTerm.first(1), log);

        ActorRef<Generation.Command> generation = resume(List.of(first, second));

        // The end of the second choice was not in the copy; it follows from its tokens.
        client.expectMessage(new Generation.Resumed(HERE, 5, generation));
        Submission submission =
                scheduler.expectMessageClass(Scheduler.Submit.class).submission();
        assertThat(submission.id()).isEqualTo(HERE);
        assertThat(submission.choices()).containsExactly(new Submission.Choice(0, Ints.of(10)));
        assertThat(read(generation, 5)).isEqualTo(all);
    }

    /** Or the one who owned it would go on. */
    @Test
    void takesTheLogOverBeforeItEndsForOneWhoCancels() {
        hold(first, OwnerTerm.first(1), List.of(token(0, 2, 10)));

        ActorRef<Generation.Command> generation = resume(List.of(first));
        generation.tell(Generation.Cancel.INSTANCE);

        client.expectMessageClass(Generation.Resumed.class);
        assertThat(read(generation, 3))
                .endsWith(
                        new LogEntry.Finished(0, 1, FinishReason.CANCELLED),
                        new LogEntry.Finished(1, 0, FinishReason.CANCELLED));
        first.tell(new LogKeeper.Append(ID, OwnerTerm.first(1), 1, 1, List.of(), oldOwner.getRef()));
        oldOwner.expectMessageClass(LogKeeper.Refused.class);
    }

    @Test
    void prefersTheCopyOfTheHighestTermToALongerOne() {
        hold(first, OwnerTerm.first(1), List.of(token(0, 2, 10), token(1, 2, 20), token(0, 3, 11)));
        hold(second, new OwnerTerm(2, 3), List.of(token(0, 2, 10)));

        ActorRef<Generation.Command> generation = resume(List.of(first, second));

        client.expectMessage(new Generation.Resumed(HERE, 1, generation));
    }

    @Test
    void leavesTheOldOwnerRefused() {
        hold(first, OwnerTerm.first(1), List.of(token(0, 2, 10)));
        resume(List.of(first));
        client.expectMessageClass(Generation.Resumed.class);

        first.tell(new LogKeeper.Append(ID, OwnerTerm.first(1), 1, 1, List.of(token(0, 3, 11)), oldOwner.getRef()));

        oldOwner.expectMessage(new LogKeeper.Refused(ID, new OwnerTerm(2, 9)));
    }

    @Test
    void leavesTheOldOwnerRefusedByThoseThatHeldNothing() {
        hold(first, OwnerTerm.first(1), List.of(token(0, 2, 10)));
        resume(List.of(first, second));
        client.expectMessageClass(Generation.Resumed.class);

        second.tell(new LogKeeper.Open(ID, OwnerTerm.first(1), 2, REQUEST, Duration.ZERO, oldOwner.getRef()));

        oldOwner.expectMessage(new LogKeeper.Refused(ID, new OwnerTerm(2, 9)));
    }

    @Test
    void doesNotWaitForeverForANodeThatDoesNotAnswer() {
        hold(first, OwnerTerm.first(1), List.of(token(0, 2, 10)));
        ActorRef<Generation.Command> generation = resume(List.of(silent.getRef(), first));
        silent.expectMessageClass(LogKeeper.Seek.class);
        // What the first keeper has said must be there before the time is over.
        TestProbe<Generation.Status> probe = kit.createTestProbe();
        first.tell(new LogKeeper.Seek(ID, 0, oldOwner.getRef()));
        oldOwner.expectMessageClass(LogKeeper.Found.class);
        probe.expectNoMessage(Duration.ZERO);

        time.timePasses(Duration.ofSeconds(1));

        client.expectMessage(new Generation.Resumed(HERE, 1, generation));
    }

    @Test
    void keepsTheRestOfTheDeadline() {
        hold(first, OwnerTerm.first(1), List.of());
        ActorRef<Generation.Command> generation = resume(List.of(first));
        client.expectMessageClass(Generation.Resumed.class);
        generation.tell(new Generation.Subscribe(1, 0, 100, subscriber.getRef()));

        time.timePasses(Duration.ofSeconds(39));
        scheduler.expectMessageClass(Scheduler.Submit.class);
        subscriber.expectNoMessage(Duration.ZERO);
        time.timePasses(Duration.ofSeconds(1));

        subscriber.expectMessageClass(GenerationEvent.Entries.class);
    }

    @Test
    void beginsAnewWhenNobodyHoldsIt() {
        beginsAnew(List.of(first, second));
    }

    @Test
    void beginsAnewWhereThereIsNoOtherNode() {
        beginsAnew(List.of());
    }

    @Test
    void beginsAnewWhenTheHolderIsLostMeanwhile() {
        ActorRef<Generation.Command> generation = resume(List.of(silent.getRef()));
        LogKeeper.Seek seek = silent.expectMessageClass(LogKeeper.Seek.class);
        seek.replyTo().tell(new LogKeeper.Found(ID, seek.number(), OwnerTerm.first(1), 2));
        assertThat(silent.expectMessageClass(LogKeeper.Claim.class).term()).isEqualTo(new OwnerTerm(2, 9));

        time.timePasses(Duration.ofSeconds(1));

        client.expectMessage(new Generation.Resumed(HERE, 0, generation));
    }

    /** With the prompt alone, as the first owner did. */
    private void beginsAnew(List<ActorRef<LogKeeper.Command>> keepers) {
        ActorRef<Generation.Command> generation = resume(keepers);

        client.expectMessage(new Generation.Resumed(HERE, 0, generation));
        Submission submission =
                scheduler.expectMessageClass(Scheduler.Submit.class).submission();
        assertThat(submission.prompt()).isEqualTo(REQUEST.prompt());
        assertThat(submission.choices())
                .containsExactly(new Submission.Choice(0, Ints.of()), new Submission.Choice(1, Ints.of()));
    }
}
