package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.Router;
import dev.troupe.serving.Scheduler;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.Test;

/** A generation whose log has a second holder. */
class ReplicatedGenerationTest extends GenerationFixture {
    private static final LogHolders ALONE = holders();

    private static LogHolders holders(LogHolders.Holder... others) {
        return new LogHolders() {
            @Override
            public long self() {
                return 1;
            }

            @Override
            public List<Holder> others() {
                return List.of(others);
            }

            @Override
            public List<Holder> all() {
                return List.of(others);
            }
        };
    }

    private ActorRef<Generation.Command> replicated(LogHolders holders) {
        return kit.spawn(Generation.create(
                ID,
                new Generation.Setup(
                        Router.single("m", scheduler.getRef()),
                        ReplicatedTokenLog.factory(holders, Duration.ofSeconds(5), System::nanoTime),
                        holders,
                        SETTINGS)));
    }

    @Test
    void showsNothingBeforeTheFollowerHasIt() {
        TestProbe<LogKeeper.Command> keeper = kit.createTestProbe();
        OwnerTerm term = OwnerTerm.first(1);
        ActorRef<Generation.Command> generation = replicated(holders(new LogHolders.Holder("b", keeper.getRef())));
        generation.tell(new Generation.Start(REQUEST, started.getRef()));
        LogKeeper.Open open = keeper.expectMessageClass(LogKeeper.Open.class);
        assertThat(open.request()).isEqualTo(REQUEST);
        started.expectNoMessage(Duration.ZERO);

        open.replyTo().tell(new LogKeeper.Holds(ID, term, open.stint(), 0));
        started.expectMessage(new Generation.Started(ID, generation));
        ActorRef<Scheduler.Update> updates =
                scheduler.expectMessageClass(Scheduler.Submit.class).replyTo();
        subscribe(generation, 1, 0, 9);
        updates.tell(advanced(EPOCH, token(2, 10), token(3, 11)));
        LogKeeper.Append append = keeper.expectMessageClass(LogKeeper.Append.class);
        assertThat(append.entries()).containsExactly(logged(2, 10), logged(3, 11));
        assertThat(status(generation).entries()).isEqualTo(2);
        subscriber.expectNoMessage(Duration.ZERO);
        append.replyTo().tell(new LogKeeper.Holds(ID, term, append.stint(), 2));

        subscriber.expectMessage(entries(0, logged(2, 10), logged(3, 11)));
    }

    @Test
    void endsWhenTheFollowerBelongsToAnotherOwner() {
        TestProbe<LogKeeper.Command> keeper = kit.createTestProbe();
        ActorRef<Generation.Command> generation = replicated(holders(new LogHolders.Holder("b", keeper.getRef())));
        generation.tell(new Generation.Start(REQUEST, started.getRef()));
        LogKeeper.Open open = keeper.expectMessageClass(LogKeeper.Open.class);
        open.replyTo().tell(new LogKeeper.Holds(ID, open.term(), open.stint(), 0));
        ActorRef<Scheduler.Update> updates =
                scheduler.expectMessageClass(Scheduler.Submit.class).replyTo();
        subscribe(generation, 1, 0, 9);
        updates.tell(advanced(EPOCH, token(2, 10)));

        keeper.expectMessageClass(LogKeeper.Append.class)
                .replyTo()
                .tell(new LogKeeper.Refused(ID, new OwnerTerm(2, 7)));

        assertThat(expectFailure())
                .isEqualTo(
                        new GenerationFailure(
                                GenerationFailure.Kind.SUPERSEDED,
                                "generation g1@test does not go on here: the owner of term o2.7 has taken it over; resume it at another front end"));
        scheduler.expectMessage(new Scheduler.Cancel(ID));
        subscriber.expectTerminated(generation);
    }

    @Test
    void showsWhatIsLoggedAtOnceWhereThereIsNoOtherNode() {
        ActorRef<Generation.Command> generation = replicated(ALONE);
        ActorRef<Scheduler.Update> updates = start(generation, REQUEST);
        subscribe(generation, 1, 0, 9);

        updates.tell(advanced(EPOCH, token(2, 10)));

        subscriber.expectMessage(entries(0, logged(2, 10)));
    }
}
