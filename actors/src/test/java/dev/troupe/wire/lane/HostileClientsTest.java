package dev.troupe.wire.lane;

import static dev.troupe.wire.lane.LaneFixture.EPOCH;
import static dev.troupe.wire.lane.LaneFixture.eventually;
import static dev.troupe.wire.lane.LaneFixture.partial;
import static org.assertj.core.api.Assertions.assertThat;

import dev.troupe.stage.ShardId;
import dev.troupe.wire.frame.Hello;
import dev.troupe.wire.lane.LaneFixture.Heard;
import dev.troupe.wire.lane.LaneFixture.Shard;
import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whatever comes to the port harms nobody: it is refused, counted, and the peers that are there go on. */
class HostileClientsTest {
    private static final Duration HANDSHAKE = Duration.ofMillis(500);
    private static final int MOST_STRANGERS = 32;

    private final LaneFixture fixture = new LaneFixture();
    private final Heard heard = new Heard();
    private TensorLane peer;
    private TensorLane target;
    private Shard shard;
    private long step;
    private int refusals;

    @BeforeEach
    void openAPairThatWorks() {
        LaneSettings settings = new LaneSettings(
                "127.0.0.2",
                0,
                "127.0.0.2",
                0,
                22,
                256 * 1024,
                64L * 1024 * 1024,
                1024 * 1024,
                HANDSHAKE,
                Duration.ZERO,
                MOST_STRANGERS);
        peer = fixture.open("127.0.0.1", 11);
        target = fixture.open(settings, heard);
        shard = fixture.registered(target, 0);
        assertThatThePeerGoesOn();
    }

    @AfterEach
    void thePeerWentOnAndNothingElseWasTold() {
        assertThatThePeerGoesOn();
        assertThat(target.statistics().messagesReceived()).isEqualTo(step);
        fixture.close();
    }

    private void assertThatThePeerGoesOn() {
        step++;
        peer.send(shard.peer(), partial(step, 1, 64));
        shard.expects(partial(step, 1, 64));
    }

    private Hello hello(String protocol, String from, String to) {
        return new Hello(Hello.Purpose.CARRY, Hello.Channel.STEP, 99, protocol, from, to);
    }

    private Hello goodHello(String from) {
        return hello(fixture.codec.types().protocol(), from, target.address().toString());
    }

    private void assertRefused(RawClient client) throws IOException {
        refusals++;
        assertThat(client.isClosedByLane()).isTrue();
        eventually("it is counted", () -> target.statistics().refused() >= refusals);
    }

    @Test
    void refusesGarbage() throws IOException {
        SplittableRandom random = new SplittableRandom(5);
        for (int i = 0; i < 20; i++) {
            byte[] garbage = new byte[random.nextInt(4, 100_000)];
            random.nextBytes(garbage);
            try (RawClient client = new RawClient(target)) {
                try {
                    client.send(garbage);
                } catch (IOException e) {
                    // reset in the middle: as good
                }
                assertRefused(client);
            }
        }

        assertThat(target.statistics().malformed()).isEqualTo(20);
    }

    @Test
    void refusesAWebBrowserAndATlsClient() throws IOException {
        try (RawClient browser = new RawClient(target);
                RawClient tls = new RawClient(target)) {
            browser.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            tls.send((byte) 0x16, (byte) 3, (byte) 1, (byte) 2, (byte) 0, (byte) 1, (byte) 0, (byte) 1, (byte) 0xfc);

            assertRefused(browser);
            assertRefused(tls);
        }
    }

    @Test
    void tellsAnotherVersionWhatToDo() throws IOException {
        byte[] hello = RawClient.hello(goodHello("127.0.0.1:1"));
        hello[4] = 2;
        try (RawClient client = new RawClient(target)) {
            client.send(hello);

            assertThat(client.answer())
                    .isEqualTo(
                            new Hello.Refusal(
                                    "version 2 of the tensor lane, this node speaks 1: run the same version of Troupe on all nodes"));
            assertRefused(client);
        }
    }

    @Test
    void tellsAnotherProtocolWhatToDo() throws IOException {
        try (RawClient client = new RawClient(target)) {
            client.send(RawClient.hello(
                    hello("1-00000000", "127.0.0.1:1", target.address().toString())));

            assertThat(((Hello.Refusal) client.answer()).reason())
                    .contains("127.0.0.1:1 speaks protocol 1-00000000", "run the same version");
            assertRefused(client);
        }
    }

    @Test
    void refusesWhoMeansSomebodyElse() throws IOException {
        try (RawClient client = new RawClient(target)) {
            client.send(RawClient.hello(hello(fixture.codec.types().protocol(), "127.0.0.1:1", "10.0.0.9:7400")));

            assertThat(((Hello.Refusal) client.answer()).reason())
                    .isEqualTo(
                            "this is the lane %s, not 10.0.0.9:7400: every node must know it under one address, troupe.node.host and troupe.wire.lane-port"
                                    .formatted(target.address()));
            assertRefused(client);
        }
    }

    @Test
    void refusesTheLargerAddressThatDials() throws IOException {
        for (String from : List.of("127.0.0.3:1", target.address().toString(), "nonsense")) {
            try (RawClient client = new RawClient(target)) {
                client.send(RawClient.hello(goodHello(from)));

                assertThat(client.answer()).isInstanceOf(Hello.Refusal.class);
                assertRefused(client);
            }
        }
    }

    @Test
    void refusesAHugeLengthWithoutMakingRoom() throws IOException {
        byte[] hello = RawClient.hello(goodHello("127.0.0.1:1"));
        for (int length : new int[] {945, 1 << 20, Integer.MAX_VALUE, -1}) {
            byte[] hostile = hello.clone();
            for (int i = 0; i < 4; i++) {
                hostile[8 + i] = (byte) (length >>> (8 * i));
            }
            long before = directMemory();
            try (RawClient client = new RawClient(target)) {
                client.send(Arrays.copyOf(hostile, 12));

                assertRefused(client);
            }
            assertThat(directMemory() - before).as("length %d", length).isLessThan(256 * 1024);
        }
    }

    private static long directMemory() {
        return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
                .filter(pool -> pool.getName().equals("direct"))
                .mapToLong(BufferPoolMXBean::getMemoryUsed)
                .sum();
    }

    @Test
    void refusesAMessageBeforeTheGreeting() throws IOException {
        byte[] message = RawClient.message(fixture.codec, shard.id(), partial(99, 1, 8));
        try (RawClient client = new RawClient(target)) {
            client.send(message);

            assertRefused(client);
        }
    }

    @Test
    void refusesAGreetingWithAFlippedBit() throws IOException {
        byte[] hello = RawClient.hello(goodHello("127.0.0.1:1"));
        hello[100] ^= 4;
        try (RawClient client = new RawClient(target)) {
            client.send(hello);

            assertRefused(client);
        }
        assertThat(target.statistics().checksumErrors()).isEqualTo(1);
    }

    @Test
    void endsAGreetingThatTrickles() throws IOException {
        byte[] hello = RawClient.hello(goodHello("127.0.0.1:1"));
        long started = System.nanoTime();
        try (RawClient client = new RawClient(target)) {
            int sent = 0;
            try {
                for (; sent < hello.length; sent++) {
                    client.send(hello[sent]);
                    Thread.sleep(20);
                }
            } catch (IOException e) {
                // closed by the lane: what we wait for
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            assertThat(sent).isLessThan(hello.length);
            assertRefused(client);
        }
        assertThat(Duration.ofNanos(System.nanoTime() - started)).isGreaterThanOrEqualTo(HANDSHAKE);
    }

    @Test
    void endsConnectionsThatSayNothingOrHalf() throws IOException {
        byte[] hello = RawClient.hello(goodHello("127.0.0.1:1"));
        try (RawClient silent = new RawClient(target);
                RawClient half = new RawClient(target);
                RawClient gone = new RawClient(target)) {
            half.send(Arrays.copyOf(hello, hello.length / 2));
            gone.send(Arrays.copyOf(hello, hello.length / 2)).socket.shutdownOutput();

            assertRefused(gone);
            assertThat(silent.isClosedByLane()).isTrue();
            assertThat(half.isClosedByLane()).isTrue();
        }
        eventually("all are counted", () -> target.statistics().refused() == 3);
    }

    @Test
    void takesABoundedNumberOfStrangersAtATime() throws IOException {
        List<RawClient> idle = new ArrayList<>();
        long before = directMemory();
        try {
            for (int i = 0; i < 200; i++) {
                idle.add(new RawClient(target));
            }
            eventually("the rest is refused", () -> target.statistics().refused() >= 200 - MOST_STRANGERS);
            assertThat(directMemory() - before).isLessThan(2L * MOST_STRANGERS * 34 * 1024);
            assertThatThePeerGoesOn();
            for (RawClient client : idle) {
                assertThat(client.isClosedByLane()).isTrue();
            }
        } finally {
            for (RawClient client : idle) {
                client.close();
            }
        }
        eventually("all are counted", () -> target.statistics().refused() == 200);
    }

    @Test
    void endsAPeerWhoseBytesChangeOnTheirWay() throws IOException {
        byte[] message = RawClient.message(fixture.codec, shard.id(), partial(99, 1, 8));
        message[message.length - 1] ^= 1;
        try (RawClient client = new RawClient(target)) {
            client.send(RawClient.hello(goodHello("127.0.0.1:1")));
            assertThat(client.answer()).isInstanceOf(Hello.class);
            client.send(message);

            assertThat(client.isClosedByLane()).isTrue();
        }
        assertThat(target.statistics().checksumErrors()).isEqualTo(1);
        eventually("it is lost", () -> !heard.lost.isEmpty());
        assertThat(heard.lost.getFirst()).startsWith("127.0.0.1:1#99: step connection: CRC32C=");
    }

    @Test
    void endsAPeerThatSendsGarbageOrHugeLengthsLater() throws IOException {
        byte[] message = RawClient.message(fixture.codec, shard.id(), partial(99, 1, 8));
        message[11] = 0x7f;
        for (byte[] hostile : List.of(message, "garbage!".getBytes(StandardCharsets.UTF_8))) {
            try (RawClient client = new RawClient(target)) {
                client.send(RawClient.hello(goodHello("127.0.0.1:1")));
                assertThat(client.answer()).isInstanceOf(Hello.class);
                client.send(hostile);

                assertThat(client.isClosedByLane()).isTrue();
            }
        }
        assertThat(target.statistics().malformed()).isEqualTo(2);
        eventually("both are lost", () -> heard.lost.size() == 2);
    }

    @Test
    void endsACallerThatGoesOnSpeaking() throws IOException {
        Hello call = new Hello(
                Hello.Purpose.CALL,
                Hello.Channel.STEP,
                99,
                fixture.codec.types().protocol(),
                "127.0.0.3:1",
                target.address().toString());
        try (RawClient client = new RawClient(target)) {
            client.send(RawClient.hello(call));
            assertThat(client.answer()).isInstanceOf(Hello.class);
            client.send(RawClient.message(fixture.codec, shard.id(), partial(99, 1, 8)));

            assertRefused(client);
        }
    }

    @Test
    void fencesMessagesOfOtherEpochsFromAPeer() throws IOException {
        ShardId stale = new ShardId(EPOCH.next(5), 0, 0);
        var message = new dev.troupe.stage.Partial(
                stale.epoch(), 99, 2, 1, 0, 4, 0, partial(99, 1, 8).values());
        try (RawClient client = new RawClient(target)) {
            client.send(RawClient.hello(goodHello("127.0.0.1:1")));
            assertThat(client.answer()).isInstanceOf(Hello.class);
            client.send(RawClient.message(fixture.codec, stale, message));

            eventually("it is dropped", () -> target.statistics().dropped() == 1);
        }
    }
}
