package dev.troupe.cluster.guardian;

import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.plan.DeviceProfile;
import dev.troupe.stage.Epoch;
import dev.troupe.stage.Residents;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardProgress;
import dev.troupe.stage.ShardProgress.Activity;
import dev.troupe.stage.ShardRoster;
import dev.troupe.stage.TensorShard;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.apache.pekko.actor.testkit.typed.javadsl.BehaviorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.junit.jupiter.api.Test;

class NodeGuardianTest {
    private static final Incarnation SELF = new Incarnation("127.0.0.1", 2551, 1);
    private static final Terms TERMS = new Terms("tales", "f00d", "exact-1");

    private final ShardRoster roster = new ShardRoster();
    private final Promises promises = new Promises();
    private final TestInbox<Vote> votes = TestInbox.create();

    private BehaviorTestKit<NodeGuardian.Command> guardian(List<NodeRole> roles, String numerics, ModelCard... models) {
        List<DeviceProfile> devices =
                roles.contains(NodeRole.COMPUTE) ? List.of(new DeviceProfile("cpu0", 2, 1L << 30)) : List.of();
        return BehaviorTestKit.create(NodeGuardian.create(new NodeGuardian.Setup(
                SELF,
                roles,
                devices,
                "127.0.0.1:2552",
                numerics,
                List.of(models),
                roster,
                promises,
                () -> List.of(new Slot(SELF, "cpu0")))));
    }

    private BehaviorTestKit<NodeGuardian.Command> compute() {
        return guardian(List.of(NodeRole.COMPUTE), "exact-1", card("f00d"));
    }

    private static ModelCard card(String fingerprint) {
        return new ModelCard(
                new RegisteredModel("tales", fingerprint),
                Map.of("tensor model.norm.weight", "n-" + fingerprint, "file a", "same"));
    }

    private Vote vote(BehaviorTestKit<NodeGuardian.Command> guardian, long round, long issuer, Terms terms) {
        guardian.run(new NodeGuardian.Promise("tales/0", new Epoch(round, issuer), terms, votes.getRef()));
        return votes.receiveMessage();
    }

    @Test
    void describesItself() {
        TestInbox<NodeInfo> answers = TestInbox.create();

        compute().run(new NodeGuardian.Describe(answers.getRef()));

        NodeInfo info = answers.receiveMessage();
        assertThat(info.node()).isEqualTo(SELF);
        assertThat(info.slots()).containsExactly(new Slot(SELF, "cpu0"));
        assertThat(info.homes()).containsExactly(new Slot(SELF, "cpu0"));
        assertThat(info.models()).containsExactly(new RegisteredModel("tales", "f00d"));
        assertThat(info.lane()).isEqualTo("127.0.0.1:2552");
    }

    @Test
    void promisesAHigherBallotAndRefusesALowerOne() {
        BehaviorTestKit<NodeGuardian.Command> guardian = compute();

        assertThat(vote(guardian, 2, 7, TERMS)).isInstanceOf(Vote.Promised.class);
        assertThat(vote(guardian, 1, 9, TERMS)).isEqualTo(new Vote.Refused(new Epoch(1, 9), SELF, new Epoch(2, 7)));
        assertThat(vote(guardian, 2, 7, TERMS)).isInstanceOf(Vote.Promised.class);
    }

    @Test
    void endsTheShardsOfASupersededEpochOfThatReplicaOnly() {
        BehaviorTestKit<NodeGuardian.Command> guardian = compute();
        TestInbox<TensorShard.Command> old = TestInbox.create();
        TestInbox<TensorShard.Command> current = TestInbox.create();
        TestInbox<TensorShard.Command> stranger = TestInbox.create();
        ShardProgress.Moment idle = new ShardProgress.Moment(Activity.IDLE, 0, 0, 0);
        Residents.add(roster, new ShardId(new Epoch(1, 7), 0, 0), "s", old.getRef(), idle);
        Residents.add(roster, new ShardId(new Epoch(2, 7), 0, 0), "s", current.getRef(), idle);
        Residents.add(roster, new ShardId(new Epoch(1, 8), 0, 0), "s", stranger.getRef(), idle);
        vote(guardian, 1, 7, TERMS);

        vote(guardian, 2, 7, TERMS);

        assertThat(old.getAllReceived()).containsExactly(new TensorShard.Superseded(new Epoch(2, 7)));
        assertThat(current.hasMessages()).isFalse();
        assertThat(stranger.hasMessages()).isFalse();
    }

    @Test
    void takesNoPartWithAnotherNumericsIdButKeepsThePromise() {
        BehaviorTestKit<NodeGuardian.Command> guardian = guardian(List.of(NodeRole.COMPUTE), "exact-2", card("f00d"));

        Vote vote = vote(guardian, 1, 7, TERMS);

        assertThat(vote)
                .isInstanceOfSatisfying(
                        Vote.Unfit.class,
                        unfit -> assertThat(unfit.reason())
                                .startsWith("its numerics id is 'exact-2', the replica's is 'exact-1'"));
        assertThat(promises.highest("tales/0")).isEqualTo(new Epoch(1, 7));
    }

    @Test
    void takesNoPartWithoutTheModel() {
        BehaviorTestKit<NodeGuardian.Command> guardian = guardian(List.of(NodeRole.COMPUTE), "exact-1");

        assertThat(vote(guardian, 1, 7, TERMS))
                .isInstanceOfSatisfying(
                        Vote.Unfit.class,
                        unfit -> assertThat(unfit.reason())
                                .isEqualTo("model 'tales' is not registered there; registered: none"));
    }

    @Test
    void takesNoPartWithAnotherCheckpointAndLetsTheTensorBeNamed() {
        BehaviorTestKit<NodeGuardian.Command> guardian = guardian(List.of(NodeRole.COMPUTE), "exact-1", card("beef"));

        Vote vote = vote(guardian, 1, 7, TERMS);

        assertThat(vote).isInstanceOfSatisfying(Vote.Unfit.class, unfit -> {
            assertThat(unfit.reason())
                    .isEqualTo("its checkpoint of 'tales' has fingerprint beef, the replica's has f00d");
            assertThat(card("f00d").difference(unfit.parts()))
                    .hasValue(
                            "tensor model.norm.weight differs: here n-f00d, there n-beef; copy one checkpoint to both nodes");
        });
    }

    @Test
    void takesNoPartOnceItLeaves() {
        promises.leave();

        assertThat(vote(compute(), 3, 1, new Terms("tales", "f00d", "exact-1")))
                .isInstanceOfSatisfying(
                        Vote.Unfit.class, unfit -> assertThat(unfit.reason()).isEqualTo("it is leaving the cluster"));
    }

    @Test
    void comparesNothingWithoutDevices() {
        BehaviorTestKit<NodeGuardian.Command> guardian = guardian(List.of(NodeRole.CONTROL), "exact-2");

        assertThat(vote(guardian, 1, 7, TERMS)).isInstanceOf(Vote.Promised.class);
    }

    @Test
    void tellsABusyShardThatAdvancesFromAStuckOne() {
        BehaviorTestKit<NodeGuardian.Command> guardian = compute();
        TestInbox<TensorShard.Command> shard = TestInbox.create();
        TestInbox<NodeGuardian.Health> answers = TestInbox.create();
        long now = System.nanoTime();
        long longAgo = now - Duration.ofMinutes(5).toNanos();
        Epoch epoch = new Epoch(1, 7);
        List<ShardProgress.Moment> moments = List.of(
                new ShardProgress.Moment(Activity.COMPUTING, 4, 3, now),
                new ShardProgress.Moment(Activity.COMPUTING, 4, 2, longAgo),
                new ShardProgress.Moment(Activity.WAITING, 4, 3, longAgo),
                new ShardProgress.Moment(Activity.IDLE, 3, 0, longAgo),
                new ShardProgress.Moment(Activity.LOADING, 0, 0, longAgo));
        for (int r = 0; r < moments.size(); r++) {
            Residents.add(roster, new ShardId(epoch, 0, r), "s", shard.getRef(), moments.get(r));
        }

        guardian.run(new NodeGuardian.Inquire(Duration.ofMinutes(1), answers.getRef()));

        List<ShardReport> reports = answers.receiveMessage().shards().stream()
                .sorted(Comparator.comparingInt(report -> report.id().rank()))
                .toList();
        assertThat(reports)
                .extracting(ShardReport::condition)
                .containsExactly(
                        ShardReport.Condition.ADVANCING,
                        ShardReport.Condition.STUCK,
                        ShardReport.Condition.WAITING,
                        ShardReport.Condition.IDLE,
                        ShardReport.Condition.LOADING);
        assertThat(reports.get(1).segment()).isEqualTo(2);
        assertThat(reports.get(1).age()).isGreaterThanOrEqualTo(Duration.ofMinutes(5));
    }
}
