package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.kvstore.KvType;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.Partition;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.LaneRegistry;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardDirectory;
import dev.troupe.stage.ShardHost;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardRoster;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

class LocalPlacementTest {
    private static final ActorTestKit KIT = ActorTestKit.create();

    @AfterAll
    static void end() {
        KIT.shutdownTestKit();
    }

    @Test
    void ranksGetTheDevicesInTurn() throws IOException {
        Partition partition = Partition.even(tales(), 2, 2);

        assertThat(LocalPlacement.slots(partition, List.of("cuda0")))
                .isEqualTo(List.of(
                        List.of("this process/cuda0", "this process/cuda0"),
                        List.of("this process/cuda0", "this process/cuda0")));
        assertThat(LocalPlacement.slots(partition, List.of("cuda0", "cuda1", "cpu0")))
                .isEqualTo(List.of(
                        List.of("this process/cuda0", "this process/cuda1"),
                        List.of("this process/cpu0", "this process/cuda0")));
    }

    private static ModelConfig tales() throws IOException {
        return ModelLocation.of(Path.of("src", "main", "models", "tales")
                        .toAbsolutePath()
                        .toString())
                .open()
                .config();
    }

    /** A stage asks for a shard twice a second until it has loaded, which takes many seconds for a large model. */
    @Test
    void aShardIsSpawnedOnceHoweverOftenItIsAskedFor() throws IOException {
        Partition partition = Partition.even(tales(), 1, 2);
        List<List<String>> slots = LocalPlacement.slots(partition, List.of("cpu0"));
        ReplicaPlan plan = new ReplicaPlan("tales", 0, "", "", partition, slots, KvType.F16, 32, 8);
        ShardHost host = new ShardHost(
                slots.getFirst().getFirst(),
                "",
                (id, asked) -> {
                    throw new IOException("loads nothing");
                },
                (peer, message) -> {},
                LaneRegistry.NONE,
                new ShardRoster());
        ShardDirectory shards = LocalPlacement.directory(KIT.system(), host);
        ShardId first = new ShardId(new Epoch(1, 1), 0, 0);
        ShardId second = new ShardId(new Epoch(1, 1), 0, 1);

        var shard = shards.shard(first, plan);

        assertThat(shards.shard(first, plan)).isSameAs(shard);
        assertThat(shards.shard(second, plan)).isNotSameAs(shard);
    }
}
