package dev.troupe.wire.lane;

import static dev.troupe.wire.lane.LaneFixture.eventually;
import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.wire.frame.Hello;
import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A peer that asks to be dialed while, or after, it was dialed. */
class CrossedCallsTest {
    private static final int INCARNATION = 55;

    private final LaneFixture fixture = new LaneFixture();
    private final LaneFixture.Heard heard = new LaneFixture.Heard();
    private StalledPeer peer;

    @BeforeEach
    void listen() throws IOException {
        peer = new StalledPeer(fixture.codec);
    }

    @AfterEach
    void close() throws IOException {
        peer.close();
        fixture.close();
    }

    /** A lane that has dialed the peer. */
    private TensorLane connected(Duration handshake) throws IOException {
        LaneSettings usual = LaneSettings.of("127.0.0.1", 0, 11);
        TensorLane lane = fixture.open(
                new LaneSettings(
                        usual.bindHost(),
                        0,
                        usual.host(),
                        0,
                        usual.incarnation(),
                        usual.maxFrame(),
                        usual.queueBytes(),
                        usual.earlyBytes(),
                        handshake,
                        usual.redial(),
                        usual.maxStrangers()),
                heard);
        lane.connect(peer.address());
        eventually("the peer is connected", () -> heard.connected.size() == 1);
        return lane;
    }

    private void call(TensorLane lane) throws IOException {
        Hello call = new Hello(
                Hello.Purpose.CALL,
                Hello.Channel.STEP,
                INCARNATION,
                fixture.codec.types().protocol(),
                peer.address().toString(),
                lane.address().toString());
        try (RawClient client = new RawClient(lane)) {
            client.send(RawClient.hello(call));
            assertThat(client.answer()).isInstanceOf(Hello.class);
        }
    }

    @Test
    void areNoLossWhileTheDialTheyCrossedIsFresh() throws IOException {
        TensorLane lane = connected(Duration.ofHours(1));

        for (int i = 0; i < 3; i++) {
            // The lane has one thread: when it answers, it has dealt with the call before.
            call(lane);
        }

        assertThat(heard.lost).isEmpty();
        assertThat(heard.connected).hasSize(1);
        assertThat(lane.statistics().lost()).isZero();
    }

    @Test
    void loseTheConnectionLaterBecauseThePeerHasNoneAnyMore() throws IOException {
        Duration handshake = Duration.ofSeconds(1);
        long before = System.nanoTime();
        TensorLane lane = connected(handshake);

        while (heard.lost.isEmpty()) {
            assertThat(System.nanoTime() - before).isLessThan(LaneFixture.SOON.toNanos());
            call(lane);
        }

        assertThat(System.nanoTime() - before).isGreaterThan(handshake.toNanos());
        assertThat(heard.lost.getFirst())
                .isEqualTo("%s#%d: it asks for a new connection".formatted(peer.address(), INCARNATION));
        eventually("it is dialed again", () -> heard.connected.size() == 2);
    }
}
