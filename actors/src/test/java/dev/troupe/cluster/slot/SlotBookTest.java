package dev.troupe.cluster.slot;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.plan.DeviceProfile;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SlotBookTest {
    private static final Incarnation SELF = new Incarnation("127.0.0.1", 2551, 1);
    private static final Incarnation OTHER = new Incarnation("127.0.0.2", 2551, 2);
    private static final Slot OTHER_CPU = new Slot(OTHER, "cpu0");
    private static final Slot OTHER_CONTROL = Slot.of(OTHER, NodeRole.CONTROL);

    private final SlotBook book = new SlotBook(
            SELF, Map.of("shard", NodeRole.COMPUTE, "stage", NodeRole.CONTROL, "scheduler", NodeRole.CONTROL));

    private static NodeInfo info(Incarnation node, List<Slot> homes) {
        return new NodeInfo(
                node,
                List.of(NodeRole.CONTROL, NodeRole.COMPUTE),
                List.of(new DeviceProfile("cpu0", 1, 0)),
                "",
                "exact",
                List.of(),
                homes);
    }

    @Test
    void asksItsOwnSlotsOfEveryKindThatLivesThere() {
        book.up(SELF);
        book.described(info(SELF, List.of()));

        assertThat(book.toProbe())
                .containsExactlyInAnyOrder(
                        new SlotBook.Home("shard", new Slot(SELF, "cpu0")),
                        new SlotBook.Home("stage", Slot.of(SELF, NodeRole.CONTROL)),
                        new SlotBook.Home("scheduler", Slot.of(SELF, NodeRole.CONTROL)));
    }

    @Test
    void asksForASlotOfAnotherNodeOnlyAfterThatNodeHasFoundItItself() {
        book.up(OTHER);
        book.described(info(OTHER, List.of()));
        assertThat(book.toProbe()).isEmpty();
        assertThat(book.toDescribe()).containsExactly(OTHER);

        book.described(info(OTHER, List.of(OTHER_CPU)));

        assertThat(book.toProbe()).containsExactly(new SlotBook.Home("shard", OTHER_CPU));
        assertThat(book.toDescribe()).containsExactly(OTHER);
    }

    @Test
    void asksAgainInPausesThatDouble() {
        book.up(OTHER);
        book.described(info(OTHER, List.of(OTHER_CPU)));

        List<Integer> turns = IntStream.range(0, 300)
                .filter(_ -> !book.toProbe().isEmpty())
                .boxed()
                .toList();

        assertThat(turns).containsExactly(0, 1, 3, 7, 15, 31, 63, 127, 191, 255);
    }

    @Test
    void knowsAHomeOnlyWhenAllKindsHaveAnswered() {
        book.up(OTHER);
        book.described(info(OTHER, List.of(OTHER_CPU, OTHER_CONTROL)));

        book.here(new SlotProbe.Here("stage", OTHER_CONTROL));
        assertThat(book.snapshot().homes()).isEmpty();
        book.here(new SlotProbe.Here("scheduler", OTHER_CONTROL));

        assertThat(book.snapshot().homes()).containsExactly(OTHER_CONTROL);
        assertThat(book.snapshot().isComplete()).isFalse();
        book.here(new SlotProbe.Here("shard", OTHER_CPU));
        assertThat(book.snapshot().isComplete()).isTrue();
    }

    @Test
    void forgetsANodeThatIsGoneAlsoWhenItsAnswersComeLate() {
        book.up(OTHER);
        book.described(info(OTHER, List.of(OTHER_CPU, OTHER_CONTROL)));

        book.gone(OTHER);
        book.here(new SlotProbe.Here("shard", OTHER_CPU));
        book.described(info(OTHER, List.of(OTHER_CPU, OTHER_CONTROL)));

        assertThat(book.snapshot().nodes()).isEmpty();
        assertThat(book.toProbe()).isEmpty();
        assertThat(book.toDescribe()).isEmpty();
    }
}
