package dev.troupe.wire.lane;

import static dev.troupe.wire.lane.LaneFixture.EPOCH;
import static dev.troupe.wire.lane.LaneFixture.eventually;
import static dev.troupe.wire.lane.LaneFixture.partial;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.stage.CandidateRequest;
import dev.troupe.stage.Partial;
import dev.troupe.stage.Peer;
import dev.troupe.stage.ShardId;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import dev.troupe.wire.lane.LaneFixture.Heard;
import dev.troupe.wire.lane.LaneFixture.Shard;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TensorLaneTest {
    private final LaneFixture fixture = new LaneFixture();
    private final Heard heard = new Heard();

    @AfterEach
    void close() {
        fixture.close();
    }

    @Test
    void carriesMessagesBothWaysOverOneConnectionThatTheSmallerDials() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open(LaneSettings.of("127.0.0.2", 0, 22), heard);
        Shard first = fixture.registered(one, 0);
        Shard second = fixture.registered(two, 1);

        one.send(second.peer(), partial(1, 1, 2048));
        second.expects(partial(1, 1, 2048));
        two.send(first.peer(), partial(2, 1, 2048));
        first.expects(partial(2, 1, 2048));

        assertThat(one.statistics().connections()).isEqualTo(1);
        assertThat(two.statistics().connections()).isEqualTo(1);
        assertThat(heard.connected).containsExactly(one.address() + "#11");
        second.never().expectNoMessage(Duration.ZERO);
        first.never().expectNoMessage(Duration.ZERO);
    }

    @Test
    void letsTheLargerAddressSendFirstByCalling() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open("127.0.0.2", 22);
        Shard first = fixture.registered(one, 0);

        for (long step = 1; step <= 5; step++) {
            two.send(first.peer(), partial(step, 1, 2048));
        }

        for (long step = 1; step <= 5; step++) {
            first.expects(partial(step, 1, 2048));
        }
        assertThat(one.statistics().refused()).isZero();
        assertThat(two.statistics().connections()).isEqualTo(1);
    }

    @Test
    void connectsAheadOfTheFirstMessage() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open(LaneSettings.of("127.0.0.2", 0, 22), heard);

        two.connect(one.address());

        eventually("the connection is there", () -> !heard.connected.isEmpty());
        assertThat(two.statistics().framesSent()).isZero();
    }

    @Test
    void sendsAMessageWithinTheNodeByReference() {
        TensorLane lane = fixture.open("127.0.0.1", 11);
        Shard shard = fixture.registered(lane, 0);
        Peer self =
                new Peer(shard.id(), lane.address().toString(), shard.probe().getRef());
        Partial message = partial(1, 1, 4);

        lane.send(self, message);

        assertThat(shard.probe().receiveMessage()).isSameAs(message);
        assertThat(lane.statistics().framesSent()).isZero();
    }

    @Test
    void splitsALargeTensorAndLosesNoRow() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open("127.0.0.2", 22);
        Shard second = fixture.registered(two, 1);
        Partial large = partial(1, 512, 2048); // 4 MiB

        one.send(second.peer(), large);

        List<Partial> pieces = new ArrayList<>();
        int rows = 0;
        while (rows < 512) {
            Partial piece = second.probe().expectMessageClass(Partial.class, LaneFixture.SOON);
            pieces.add(piece);
            rows += piece.values().rows();
        }
        assertThat(pieces).hasSizeGreaterThan(15);
        for (Partial piece : pieces) {
            Floats expected = large.values()
                    .floats()
                    .slice(piece.firstRow(), piece.firstRow() + piece.values().rows());
            assertThat(piece.values()).isEqualTo(expected);
        }
        assertThat(one.statistics().framesSent()).isEqualTo(pieces.size());
    }

    @Test
    void givesLargeTensorsAConnectionOfTheirOwn() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open("127.0.0.2", 22);
        Shard second = fixture.registered(two, 1);

        one.send(second.peer(), partial(1, 512, 2048));
        one.send(second.peer(), partial(2, 1, 2048));

        eventually("two connections", () -> one.statistics().connections() == 2);
        eventually(
                "all frames",
                () -> two.statistics().messagesReceived() == one.statistics().framesSent());
    }

    @Test
    void carriesObjects() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open("127.0.0.2", 22);
        Shard second = fixture.registered(two, 1);
        var request = new CandidateRequest(EPOCH, 4, 1, Ints.of(0), Ints.of(64));

        one.send(second.peer(), request);

        second.expects(request);
    }

    @Test
    void keepsMessagesOfAnAnnouncedEpochUntilTheirShardIsHere() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open("127.0.0.2", 22);
        Shard second = fixture.shard(two, 1);
        two.announce(EPOCH);
        one.send(second.peer(), partial(1, 1, 8));
        one.send(second.peer(), partial(2, 1, 8));
        eventually("two early messages", () -> two.statistics().early() == 2);

        two.register(second.id(), second.probe().getRef());

        second.expects(partial(1, 1, 8));
        second.expects(partial(2, 1, 8));
        assertThat(two.statistics().early()).isZero();
        assertThat(two.statistics().dropped()).isZero();
    }

    @Test
    void keepsMessagesForAShardThatFollowsAnotherOfItsEpoch() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open("127.0.0.2", 22);
        fixture.registered(two, 0);
        Shard second = fixture.shard(two, 1);
        one.send(second.peer(), partial(1, 1, 8));
        eventually("an early message", () -> two.statistics().early() == 1);

        two.register(second.id(), second.probe().getRef());

        second.expects(partial(1, 1, 8));
    }

    @Test
    void dropsAndCountsMessagesOfAnUnknownEpoch() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open("127.0.0.2", 22);
        Shard second = fixture.shard(two, 1);

        one.send(second.peer(), partial(1, 1, 8));

        eventually("it is dropped", () -> two.statistics().dropped() == 1);
        two.register(second.id(), second.probe().getRef());
        one.send(second.peer(), partial(2, 1, 8));
        second.expects(partial(2, 1, 8));
    }

    @Test
    void dropsMessagesAfterTheLastShardOfTheirEpochHasGone() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open("127.0.0.2", 22);
        Shard second = fixture.registered(two, 1);
        Shard third = fixture.shard(two, 2);
        one.send(third.peer(), partial(1, 1, 8));
        eventually("an early message", () -> two.statistics().early() == 1);

        two.unregister(second.id());
        two.unregister(second.id());
        one.send(second.peer(), partial(2, 1, 8));

        eventually("both are dropped", () -> two.statistics().dropped() == 2);
        assertThat(two.statistics().early()).isZero();
        second.probe().expectNoMessage(Duration.ofMillis(50));
    }

    @Test
    void keepsNoMoreEarlyBytesThanItsBound() {
        LaneSettings few = settings("127.0.0.2", 64L * 1024 * 1024, 10_000);
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open(few, LaneListener.NONE);
        Shard second = fixture.shard(two, 1);
        two.announce(EPOCH);

        for (int step = 1; step <= 10; step++) {
            one.send(second.peer(), partial(step, 1, 600)); // 2480 bytes with the header
        }

        eventually("the rest is dropped", () -> two.statistics().dropped() == 6);
        assertThat(two.statistics().early()).isEqualTo(4);
    }

    @Test
    void forgetsTheOldestOfTooManyAnnouncedEpochs() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open("127.0.0.2", 22);
        Shard second = fixture.shard(two, 1);
        two.announce(EPOCH);
        for (int i = 1; i <= 16; i++) {
            two.announce(EPOCH.next(i));
        }

        one.send(second.peer(), partial(1, 1, 8));

        eventually("it is dropped", () -> two.statistics().dropped() == 1);
    }

    @Test
    void reportsAPeerThatCannotBeReachedAndTriesAgainLater() throws IOException {
        TensorLane one = fixture.open(LaneSettings.of("127.0.0.1", 0, 11), heard);
        LaneAddress nobody = new LaneAddress("127.0.0.2", freePort("127.0.0.2"));
        Peer peer = new Peer(new ShardId(EPOCH, 0, 1), nobody.toString(), fixture.probeRef());

        one.send(peer, partial(1, 1, 8));

        eventually("it is lost", () -> heard.lost.size() == 1);
        assertThat(heard.lost.getFirst())
                .startsWith(nobody + "#0: cannot be reached (step connection): ")
                .contains("refused");
        eventually("the frame is given up", () -> one.statistics().unsent() == 1);
        TensorLane two = fixture.open(LaneSettings.of("127.0.0.2", nobody.port(), 22), LaneListener.NONE);
        Shard second = fixture.registered(two, 1);
        eventually("a later message arrives", () -> {
            one.send(second.peer(), partial(2, 1, 8));
            return two.statistics().messagesReceived() > 0;
        });
    }

    @Test
    void reportsALostConnection() {
        TensorLane one = fixture.open(LaneSettings.of("127.0.0.1", 0, 11), heard);
        TensorLane two = fixture.open("127.0.0.2", 22);
        Shard second = fixture.registered(two, 1);
        one.send(second.peer(), partial(1, 1, 8));
        second.expects(partial(1, 1, 8));

        two.close();

        eventually("it is lost", () -> heard.lost.size() == 1);
        assertThat(heard.lost.getFirst())
                .startsWith(two.address() + "#22: step connection: ")
                .contains("closed by the other side");
        assertThat(one.statistics().lost()).isEqualTo(1);
    }

    @Test
    void takesANewProcessAtTheSameAddressForANewPeer() {
        TensorLane one = fixture.open("127.0.0.1", 11);
        TensorLane two = fixture.open(LaneSettings.of("127.0.0.2", 0, 22), heard);
        Shard second = fixture.registered(two, 1);
        one.send(second.peer(), partial(1, 1, 8));
        second.expects(partial(1, 1, 8));

        // The old process hangs: its connection stays open while a new one dials from the same address.
        LaneSettings again = new LaneSettings(
                "127.0.0.1",
                0,
                "127.0.0.1",
                one.address().port(),
                33,
                256 * 1024,
                64L * 1024 * 1024,
                64L * 1024 * 1024,
                Duration.ofSeconds(5),
                Duration.ofMillis(200),
                128);
        TensorLane successor = fixture.open(again, LaneListener.NONE);
        successor.send(second.peer(), partial(2, 1, 8));
        second.expects(partial(2, 1, 8));

        assertThat(heard.lost).containsExactly(one.address() + "#11: a new process has taken its place");
        assertThat(heard.connected).containsExactly(one.address() + "#11", one.address() + "#33");
        eventually("the old one is closed", () -> one.statistics().connections() == 0);
    }

    @Test
    void losesAPeerThatReadsNothingWhenItsQueueIsFull() throws IOException {
        TensorLane one = fixture.open(settings("127.0.0.1", 1024 * 1024, 10_000), heard);
        try (StalledPeer stalled = new StalledPeer(fixture.codec)) {
            Peer peer = new Peer(new ShardId(EPOCH, 0, 1), stalled.address().toString(), fixture.probeRef());
            one.send(peer, partial(1, 1, 8));
            eventually("connected", () -> one.statistics().connections() == 1);

            long started = System.nanoTime();
            for (int i = 0; i < 2_000 && heard.lost.isEmpty(); i++) {
                one.send(peer, partial(2 + i, 1, 8192)); // 32 KiB
            }

            assertThat(Duration.ofNanos(System.nanoTime() - started))
                    .as("never waits")
                    .isLessThan(LaneFixture.SOON);
            eventually("it is lost", () -> !heard.lost.isEmpty());
            assertThat(heard.lost.getFirst()).contains("queue-bytes = 1048576", "too slow, paused or cut off");
            assertThat(one.statistics().unsent()).isPositive();
        }
    }

    @Test
    void losesAPeerThatWasCalledAndDoesNotDialBack() throws IOException {
        LaneSettings hasty = new LaneSettings(
                "127.0.0.9",
                0,
                "127.0.0.9",
                0,
                11,
                256 * 1024,
                1024 * 1024,
                1024,
                Duration.ofMillis(200),
                Duration.ZERO,
                8);
        TensorLane large = fixture.open(hasty, heard);
        try (StalledPeer stalled = new StalledPeer(fixture.codec)) {
            Peer peer = new Peer(new ShardId(EPOCH, 0, 1), stalled.address().toString(), fixture.probeRef());

            large.send(peer, partial(1, 1, 8));

            eventually("it is lost", () -> !heard.lost.isEmpty());
            assertThat(heard.lost.getFirst()).contains("it was called and has not dialed back");
            assertThat(large.statistics().unsent()).isEqualTo(1);
        }
    }

    @Test
    void refusesToSendToAPeerWithoutALane() {
        TensorLane lane = fixture.open("127.0.0.1", 11);
        Peer peer = new Peer(new ShardId(EPOCH, 0, 1), "", fixture.probeRef());

        assertThatThrownBy(() -> lane.send(peer, partial(1, 1, 8)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("troupe.wire.tensors");
    }

    @Test
    void saysWhatToDoWhenThePortIsTaken() {
        TensorLane lane = fixture.open("127.0.0.1", 11);
        LaneSettings same = LaneSettings.of("127.0.0.1", lane.address().port(), 12);

        assertThatThrownBy(() -> TensorLane.open(same, fixture.codec, LaneListener.NONE))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("127.0.0.1:" + lane.address().port())
                .hasMessageContaining("troupe.wire.lane-port");
    }

    private static LaneSettings settings(String host, long queueBytes, long earlyBytes) {
        return new LaneSettings(
                host,
                0,
                host,
                0,
                11,
                256 * 1024,
                queueBytes,
                earlyBytes,
                Duration.ofSeconds(5),
                Duration.ofMillis(200),
                128);
    }

    private static int freePort(String host) throws IOException {
        try (ServerSocketChannel free = ServerSocketChannel.open()) {
            free.bind(new InetSocketAddress(host, 0));
            return ((InetSocketAddress) free.getLocalAddress()).getPort();
        }
    }
}
