package dev.troupe.wire.lane;

import static dev.troupe.wire.lane.LaneFixture.EPOCH;
import static dev.troupe.wire.lane.LaneFixture.eventually;
import static dev.troupe.wire.lane.LaneFixture.partial;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.stage.Partial;
import dev.troupe.tensor.Floats;
import dev.troupe.wire.lane.LaneFixture.Heard;
import dev.troupe.wire.lane.LaneFixture.Shard;
import dev.troupe.wire.tls.CertificateRole;
import dev.troupe.wire.tls.TestCertificates;
import dev.troupe.wire.tls.TlsFiles;
import dev.troupe.wire.tls.TlsIdentity;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Lanes under mutual TLS: they carry what plain ones carry, and whoever is not of the cluster harms nobody. */
class TlsLaneTest {
    private static final Duration HANDSHAKE = Duration.ofSeconds(2);

    private final LaneFixture fixture = new LaneFixture();
    private final Heard heard = new Heard();
    private final Heard strangerHeard = new Heard();

    @TempDir
    Path directory;

    private TestCertificates certificates;
    private TensorLane peer;
    private TensorLane target;
    private Shard shard;
    private long step;

    @BeforeEach
    void openAPairThatWorks() throws IOException {
        certificates = new TestCertificates(directory.resolve("certs"));
        peer = fixture.open(
                settings("127.0.0.1"), certificates.identity("127.0.0.1", CertificateRole.COMPUTE), LaneListener.NONE);
        target =
                fixture.open(settings("127.0.0.3"), certificates.identity("127.0.0.3", CertificateRole.CONTROL), heard);
        shard = fixture.registered(target, 0);
        assertThatThePeerGoesOn();
    }

    @AfterEach
    void thePeerWentOn() {
        assertThatThePeerGoesOn();
        assertThat(heard.lost).isEmpty();
        fixture.close();
    }

    private static LaneSettings settings(String host) {
        return new LaneSettings(
                host, 0, host, 0, 11, 256 * 1024, 64L * 1024 * 1024, 64L * 1024 * 1024, HANDSHAKE, Duration.ZERO, 32);
    }

    private void assertThatThePeerGoesOn() {
        step++;
        peer.send(shard.peer(), partial(step, 1, 64));
        shard.expects(partial(step, 1, 64));
    }

    @Test
    void carriesMessagesBothWaysWhoeverSendsFirst() {
        Shard atPeer = fixture.registered(peer, 1);
        TensorLane third = fixture.open(settings("127.0.0.4"), identity("127.0.0.4"), LaneListener.NONE);

        target.send(atPeer.peer(), partial(1, 1, 2048));
        atPeer.expects(partial(1, 1, 2048));
        third.send(atPeer.peer(), partial(2, 1, 2048)); // the larger address: it calls
        atPeer.expects(partial(2, 1, 2048));

        assertThat(peer.statistics().connections()).isEqualTo(2);
        assertThat(peer.statistics().refused()).isZero();
    }

    @Test
    void losesNoBitOfLargeTensorsThatCrossEachOther() {
        Shard atPeer = fixture.registered(peer, 1);
        Partial large = random(7, 1024, 2048); // 8 MiB

        for (int i = 0; i < 3; i++) {
            peer.send(shard.peer(), large);
            target.send(atPeer.peer(), large);
            assertWhole(shard, large);
            assertWhole(atPeer, large);
        }

        assertThat(peer.statistics().unsent()).isZero();
        assertThat(target.statistics().checksumErrors()).isZero();
    }

    @Test
    void losesNoBitOfManyMessagesOfAllSizes() {
        SplittableRandom random = new SplittableRandom(11);
        List<Partial> sent = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            sent.add(random(1000 + i, 1, random.nextInt(1, 16_000)));
        }

        sent.forEach(message -> peer.send(shard.peer(), message));

        sent.forEach(shard::expects);
    }

    private static Partial random(long step, int rows, int columns) {
        SplittableRandom random = new SplittableRandom(step);
        float[] values = new float[rows * columns];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextDouble();
        }
        return new Partial(EPOCH, step, 2, 1, 0, 4, 0, new Floats(rows, columns, values));
    }

    private static void assertWhole(Shard at, Partial large) {
        for (int rows = 0; rows < large.values().rows(); ) {
            Partial piece = at.probe().expectMessageClass(Partial.class, LaneFixture.SOON);
            int end = piece.firstRow() + piece.values().rows();
            assertThat(piece.values().equals(large.values().floats().slice(piece.firstRow(), end)))
                    .as("rows %d to %d", piece.firstRow(), end)
                    .isTrue();
            rows += piece.values().rows();
        }
    }

    @Test
    void refusesACertificateOfAnotherAuthority() throws IOException {
        TlsFiles own = certificates.files("127.0.0.2", CertificateRole.COMPUTE);
        TestCertificates others = new TestCertificates(directory.resolve("others"));
        TlsFiles foreign = others.files("127.0.0.2", CertificateRole.COMPUTE);

        // trusts the right authority, shows the wrong certificate
        assertRefused(certificates.careless(new TlsFiles(own.ca(), foreign.certificate(), foreign.key())), "TLS: ");
    }

    @Test
    void trustsNoTargetOfAnotherAuthority() throws IOException {
        TestCertificates others = new TestCertificates(directory.resolve("others"));

        assertRefused(others.identity("127.0.0.2", CertificateRole.COMPUTE), "TLS: ");

        assertThat(strangerHeard.lost.getFirst()).contains("certificates of one authority (troupe certs)");
    }

    @Test
    void refusesAnExpiredCertificate() throws IOException {
        assertRefused(certificates.careless(certificates.expired("127.0.0.2", CertificateRole.COMPUTE)), "TLS: ");
    }

    @Test
    void refusesACertificateWithoutARoleOnTheLaneAndSaysSo() throws IOException {
        assertRefused(
                certificates.identity("127.0.0.2", CertificateRole.CLIENT),
                "it refuses: the certificate of CN=127.0.0.2-client,O=Troupe has the role client, expected control or"
                        + " compute or cache: make one with troupe certs --add");
    }

    @Test
    void refusesTheCertificateOfAnotherHost() throws IOException {
        assertRefused(
                certificates.identity("127.0.0.9", CertificateRole.COMPUTE),
                "it refuses: the certificate of CN=127.0.0.9,O=Troupe is for 127.0.0.9, not for 127.0.0.2");
    }

    private TlsIdentity identity(String host) {
        try {
            return certificates.identity(host, CertificateRole.COMPUTE);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Whoever has {@code identity} dials as 127.0.0.2. */
    private void assertRefused(TlsIdentity identity, String reason) {
        long received = target.statistics().messagesReceived();
        TensorLane stranger = fixture.open(settings("127.0.0.2"), identity, strangerHeard);

        stranger.send(shard.peer(), partial(99, 1, 8));

        eventually("it is counted", () -> target.statistics().refused() == 1);
        eventually("it is told", () -> !strangerHeard.lost.isEmpty());
        assertThat(strangerHeard.lost.getFirst()).contains(reason);
        assertThat(strangerHeard.connected).isEmpty();
        assertThat(stranger.statistics().unsent()).isEqualTo(1);
        assertThat(target.statistics().messagesReceived()).isEqualTo(received);
    }

    @Test
    void doesNotTalkToAPeerWithoutARoleOnTheLane() throws IOException {
        TensorLane other = fixture.open(
                settings("127.0.0.2"), certificates.identity("127.0.0.2", CertificateRole.FRONTEND), LaneListener.NONE);
        Heard told = new Heard();
        TensorLane smallest = fixture.open(settings("127.0.0.1"), identity("127.0.0.1"), told);
        Shard there = fixture.registered(other, 1);

        smallest.send(there.peer(), partial(99, 1, 8));

        eventually("it is lost", () -> !told.lost.isEmpty());
        assertThat(told.lost.getFirst()).contains("has the role frontend");
        assertThat(other.statistics().messagesReceived()).isZero();
    }

    @Test
    void refusesWhoShowsNoCertificate() throws Exception {
        try (RawClient tcp = new RawClient(target);
                SSLSocket client = (SSLSocket) certificates
                        .anonymous()
                        .getSocketFactory()
                        .createSocket(
                                tcp.socket,
                                target.address().host(),
                                target.address().port(),
                                true)) {
            assertThatThrownBy(() -> {
                        client.startHandshake();
                        client.getOutputStream().write(new byte[100]);
                        client.getInputStream().read();
                    })
                    .isInstanceOfAny(SSLException.class, java.net.SocketException.class);
        }

        eventually("it is counted", () -> target.statistics().refused() == 1);
    }

    @Test
    void refusesPlainTextOnItsPort() throws IOException {
        SplittableRandom random = new SplittableRandom(5);
        for (int i = 1; i <= 20; i++) {
            byte[] garbage = new byte[random.nextInt(5, 100_000)];
            random.nextBytes(garbage);
            try (RawClient client = new RawClient(target)) {
                try {
                    client.send(garbage);
                } catch (IOException e) {
                    // reset in the middle: as good
                }
                assertThat(client.isClosedByLane()).isTrue();
            }
            int refused = i;
            eventually("it is counted", () -> target.statistics().refused() == refused);
        }
    }

    @Test
    void endsHandshakesThatStopHalfway() throws IOException {
        byte[] begun = {0x16, 3, 1, 2, 0, 1, 0, 1, (byte) 0xfc, 3, 3};
        byte[] huge = {0x16, 3, 3, (byte) 0xff, (byte) 0xff, 1, 0, 1};
        try (RawClient silent = new RawClient(target);
                RawClient half = new RawClient(target);
                RawClient large = new RawClient(target);
                RawClient gone = new RawClient(target)) {
            half.send(begun);
            large.send(huge);
            gone.send(Arrays.copyOf(begun, 7)).socket.shutdownOutput();

            for (RawClient client : List.of(silent, half, large, gone)) {
                assertThat(client.isClosedByLane()).isTrue();
            }
        }
        eventually("all are counted", () -> target.statistics().refused() == 4);
    }

    @Test
    void losesAPeerThatSpeaksPlainText() {
        Heard plainHeard = new Heard();
        TensorLane plain = fixture.open(settings("127.0.0.2"), plainHeard);
        Heard told = new Heard();
        TensorLane small = fixture.open(settings("127.0.0.1"), identity("127.0.0.1"), told);
        Shard atPlain = fixture.registered(plain, 2);

        small.send(atPlain.peer(), partial(99, 1, 8)); // TLS to a plain port
        plain.send(shard.peer(), partial(99, 1, 8)); // plain text to a TLS port

        eventually("TLS is refused there", () -> plain.statistics().refused() == 1);
        eventually("plain text is refused here", () -> target.statistics().refused() == 1);
        eventually("both are lost", () -> !told.lost.isEmpty() && !plainHeard.lost.isEmpty());
        assertThat(told.lost.getFirst()).contains("cannot be reached", "TLS");
    }

    @Test
    void listensOffLoopbackOnlyWithTls() {
        LaneSettings open = settings("0.0.0.0");

        assertThatThrownBy(() -> TensorLane.open(open, fixture.codec, LaneListener.NONE))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "the tensor lane does not listen on 0.0.0.0:0 without TLS, because anybody who can reach it could feed"
                                + " it numbers: make certificates with troupe certs --out DIR --nodes 0.0.0.0 and set"
                                + " troupe.wire.tls { enabled = on, directory = DIR }, or bind to 127.0.0.1");
    }

    @Test
    void endsAConnectionWhoseEngineGetsNowhere() throws Exception {
        SSLEngine real = identity("127.0.0.2").server();
        try (SocketChannel channel = SocketChannel.open()) {
            for (HandshakeStatus need : List.of(HandshakeStatus.NEED_WRAP, HandshakeStatus.NEED_UNWRAP)) {
                TlsPipe pipe = new TlsPipe(channel, new StuckEngine(real, need));

                assertThatThrownBy(() -> pipe.handshake(() -> {}))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("TLS makes no progress")
                        .hasMessageContaining("said OK, " + need + " twice, without a byte");
                assertThatThrownBy(() -> pipe.write(new ArrayDeque<>(List.of(ByteBuffer.allocate(9))), frame -> {}))
                        .hasMessageContaining("TLS makes no progress: wrap said OK");
                assertThatThrownBy(() -> pipe.read(ByteBuffer.allocate(99)))
                        .hasMessageContaining("TLS makes no progress");
                pipe.close();
            }
        }
    }
}
