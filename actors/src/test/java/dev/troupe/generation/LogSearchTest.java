package dev.troupe.generation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.serving.GenerationId;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LogSearchTest {
    private static final LogKeeper.Held HELD = new LogKeeper.Held(
            new GenerationId("g", "a"), GenerationRequest.of("m", Ints.of(1)).build(), false);

    private final ActorTestKit kit = ActorTestKit.create(ManualTime.config());
    private final TestProbe<LogKeeper.Command> first = kit.createTestProbe();
    private final TestProbe<LogKeeper.Command> second = kit.createTestProbe();
    private final TestProbe<Answer> client = kit.createTestProbe();

    private record Answer(Optional<LogKeeper.Held> held) {}

    @AfterEach
    void shutDown() {
        kit.shutdownTestKit();
    }

    @SafeVarargs
    private void search(TestProbe<LogKeeper.Command>... keepers) {
        List<LogHolders.Holder> all = new ArrayList<>();
        for (TestProbe<LogKeeper.Command> keeper : keepers) {
            all.add(new LogHolders.Holder(keeper.getRef().path().name(), keeper.getRef()));
        }
        LogHolders holders = new LogHolders() {
            @Override
            public long self() {
                return 1;
            }

            @Override
            public List<Holder> others() {
                return List.of();
            }

            @Override
            public List<Holder> all() {
                return all;
            }
        };
        kit.spawn(LogSearch.create(holders, "t", "team-a", client.getRef(), Answer::new));
    }

    private static LogKeeper.Show asked(TestProbe<LogKeeper.Command> keeper) {
        LogKeeper.Show asked = keeper.expectMessageClass(LogKeeper.Show.class);
        assertThat(asked.ticket()).isEqualTo("t");
        assertThat(asked.tenant()).isEqualTo("team-a");
        return asked;
    }

    @Test
    void tellsOfTheFirstThatHoldsIt() {
        search(first, second);

        asked(first).replyTo().tell(new LogKeeper.Shown(Optional.empty()));
        client.expectNoMessage();
        asked(second).replyTo().tell(new LogKeeper.Shown(Optional.of(HELD)));

        client.expectMessage(new Answer(Optional.of(HELD)));
    }

    @Test
    void tellsThatNobodyHoldsItWhenAllHaveSaidSo() {
        search(first, second);

        asked(first).replyTo().tell(new LogKeeper.Shown(Optional.empty()));
        asked(second).replyTo().tell(new LogKeeper.Shown(Optional.empty()));

        client.expectMessage(new Answer(Optional.empty()));
    }

    @Test
    void waitsForNobodyForLongerThanASecond() {
        search(first, second);
        asked(first).replyTo().tell(new LogKeeper.Shown(Optional.empty()));
        asked(second);

        ManualTime.get(kit.system()).timePasses(Duration.ofSeconds(1));

        client.expectMessage(new Answer(Optional.empty()));
    }

    @Test
    void findsNothingWhereNobodyHoldsLogs() {
        search();

        client.expectMessage(new Answer(Optional.empty()));
    }
}
