package dev.troupe.cluster.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.kvstore.KvType;
import dev.troupe.model.Partition;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SlotTest {
    private static final Incarnation NODE = new Incarnation("127.0.0.1", 2551, 0x9cL);

    @ParameterizedTest
    @ValueSource(
            strings = {
                "127.0.0.1:2551#9c/cpu0",
                "node-1.example:65535#ffffffffffffffff/control",
                "[::1]:1#0/frontend",
                "::1:25520#1/cuda12"
            })
    void printsWhatItReads(String text) {
        assertThat(Slot.parse(text)).hasToString(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "cpu0",
                "127.0.0.1:2551#9c",
                "127.0.0.1:2551#9c/",
                "127.0.0.1:2551#9c/CPU",
                "127.0.0.1:2551#9c/a/b",
                "127.0.0.1:0#9c/cpu0",
                "127.0.0.1:65536#9c/cpu0",
                "127.0.0.1:x#9c/cpu0",
                "127.0.0.1:2551#xyz/cpu0",
                "127.0.0.1:2551#10000000000000000/cpu0",
                "127.0.0.1#9c/cpu0",
                ":2551#9c/cpu0",
                "a@b:2551#9c/cpu0"
            })
    void refusesWhatIsNoSlot(String text) {
        assertThatThrownBy(() -> Slot.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void keepsUidsApartThatDifferInTheSignOnly() {
        Incarnation low = new Incarnation("h", 1, 1);
        Incarnation high = new Incarnation("h", 1, -1);

        assertThat(low).isLessThan(high);
        assertThat(Incarnation.parse(high.toString())).isEqualTo(high);
    }

    @Test
    void isReadFromTheEndOfAnEntityIdWhoseNameMayHaveAnAt() {
        Slot slot = new Slot(NODE, "cpu0");

        assertThat(Slot.ofEntity(slot.entity("some@one/model/0"))).isEqualTo(slot);
        assertThatThrownBy(() -> Slot.ofEntity("llama/0"))
                .hasMessage("entity 'llama/0' names no slot; expected name@slot");
    }

    @Test
    void namesEntitiesAfterReplicaEpochStageAndRank() {
        Partition partition =
                new Partition(List.of(new Partition.Stage(0, 2, List.of(new Partition.Rank(0, 1, 0, 256)))));
        Slot slot = new Slot(NODE, "cpu0");
        ReplicaPlan plan = new ReplicaPlan(
                "llama", 0, "", "exact", partition, List.of(List.of(slot.toString())), KvType.F16, 32, 8);
        Epoch epoch = new Epoch(3, 0x1f);

        assertThat(EntityIds.shard(new ShardId(epoch, 0, 0), plan))
                .isEqualTo("llama/0/e3.1f/s0/r0@127.0.0.1:2551#9c/cpu0");
        assertThat(EntityIds.stage(EntityIds.replica("llama", 0), epoch, 1, Slot.of(NODE, NodeRole.CONTROL)))
                .isEqualTo("llama/0/e3.1f/s1@127.0.0.1:2551#9c/control");
    }

    @Test
    void knowsItsRole() {
        assertThat(Slot.of(NODE, NodeRole.FRONTEND).role()).isEqualTo(NodeRole.FRONTEND);
        assertThat(new Slot(NODE, "cuda1").role()).isEqualTo(NodeRole.COMPUTE);
        assertThatThrownBy(() -> Slot.of(NODE, NodeRole.COMPUTE)).hasMessageContaining("its devices are");
        assertThatThrownBy(() -> NodeRole.of("gpu"))
                .hasMessage("role 'gpu' does not exist; these do: control, frontend, compute, cache");
    }
}
