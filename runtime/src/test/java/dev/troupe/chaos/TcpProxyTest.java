package dev.troupe.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class TcpProxyTest {
    private static final InetSocketAddress ANY = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    private static final int MOMENT_MILLIS = 300;

    private ServerSocket echo;

    @BeforeEach
    void listens() throws IOException {
        echo = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(() -> {
            while (!echo.isClosed()) {
                try {
                    Socket socket = echo.accept();
                    Thread.ofVirtual().start(() -> echo(socket));
                } catch (IOException e) {
                    return;
                }
            }
        });
    }

    private static void echo(Socket socket) {
        try (socket) {
            socket.getInputStream().transferTo(socket.getOutputStream());
        } catch (IOException e) {
            return; // it was reset
        }
    }

    @AfterEach
    void closes() throws IOException {
        echo.close();
    }

    private TcpProxy proxy(LinkFaults faults) throws IOException {
        return TcpProxy.open(ANY, new InetSocketAddress(InetAddress.getLoopbackAddress(), echo.getLocalPort()), faults);
    }

    private static Socket connect(TcpProxy proxy) throws IOException {
        return new Socket(proxy.host(), proxy.port());
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        new Random(1).nextBytes(bytes);
        return bytes;
    }

    /** What comes back for {@code sent}; the other side's end is seen too. */
    private static byte[] echoed(Socket socket, byte[] sent) throws IOException {
        Thread.ofVirtual().start(() -> {
            try {
                socket.getOutputStream().write(sent);
                socket.shutdownOutput();
            } catch (IOException e) {
                return; // the reader sees it too
            }
        });
        return socket.getInputStream().readAllBytes();
    }

    private static void write(Socket socket, int value) throws IOException {
        socket.getOutputStream().write(value);
    }

    @Test
    void passesEverythingOnWhereNothingIsWrong() throws IOException {
        byte[] sent = random(3_000_000);

        try (TcpProxy proxy = proxy(LinkFaults.NONE);
                Socket socket = connect(proxy)) {
            assertThat(echoed(socket, sent)).isEqualTo(sent);
            assertThat(proxy.counts()).isEqualTo(new TcpProxy.Counts(1, 6_000_000, 0, 0, 0));
        }
    }

    @Test
    void holdsBackWhatIsSentDuringACutAndLosesNothing() throws IOException {
        try (TcpProxy proxy = proxy(LinkFaults.NONE);
                Socket socket = connect(proxy)) {
            InputStream in = socket.getInputStream();
            write(socket, 1);
            assertThat(in.read()).isEqualTo(1);

            proxy.cut();
            write(socket, 2);
            socket.setSoTimeout(MOMENT_MILLIS);
            assertThatThrownBy(in::read).isInstanceOf(SocketTimeoutException.class);
            proxy.heal();

            socket.setSoTimeout(0);
            assertThat(in.read()).isEqualTo(2);
            assertThat(proxy.counts().cuts()).isEqualTo(1);
            assertThat(proxy.counts().resets()).isZero();
        }
    }

    @Test
    void closesConnectionsAndRefusesNewOnesWhereACutResets() throws IOException {
        LinkFaults faults = LinkFaults.NONE.withCuts(Duration.ofDays(1), Duration.ofDays(1), true);
        try (TcpProxy proxy = proxy(faults);
                Socket before = connect(proxy)) {
            write(before, 1);
            assertThat(before.getInputStream().read()).isEqualTo(1);

            proxy.cut();

            assertThatThrownBy(() -> before.getInputStream().read()).isInstanceOf(IOException.class);
            try (Socket during = connect(proxy)) {
                assertThat(isEnded(during)).isTrue();
            }
            assertThat(proxy.counts().resets()).isEqualTo(2);
            proxy.heal();
            try (Socket after = connect(proxy)) {
                write(after, 3);
                assertThat(after.getInputStream().read()).isEqualTo(3);
            }
        }
    }

    private static boolean isEnded(Socket socket) {
        try {
            return socket.getInputStream().read() < 0;
        } catch (IOException e) {
            return true;
        }
    }

    @Test
    void cutsAndHealsByItself() throws Exception {
        LinkFaults faults = LinkFaults.NONE.withCuts(Duration.ofMillis(20), Duration.ofMillis(20), false);
        byte[] sent = random(1000);

        try (TcpProxy proxy = proxy(faults)) {
            while (proxy.counts().cuts() < 3) {
                try (Socket socket = connect(proxy)) {
                    assertThat(echoed(socket, sent)).isEqualTo(sent);
                }
            }
        }
    }

    @Test
    void flipsAsManyBitsAsItSays() throws IOException {
        byte[] sent = random(1_000_000);

        try (TcpProxy proxy = proxy(LinkFaults.NONE.withFlips(50_000).withSeed(3));
                Socket socket = connect(proxy)) {
            byte[] back = echoed(socket, sent);

            int different = 0;
            for (int i = 0; i < sent.length; i++) {
                different += Integer.bitCount((sent[i] ^ back[i]) & 0xff);
            }
            assertThat(back).hasSameSizeAs(sent);
            assertThat(different).isEqualTo((int) proxy.counts().flips()).isBetween(10, 200);
        }
    }

    @Test
    void delaysBothDirections() throws IOException {
        try (TcpProxy proxy = proxy(LinkFaults.NONE.withDelay(Duration.ofMillis(100)));
                Socket socket = connect(proxy)) {
            long start = System.nanoTime();
            write(socket, 1);
            assertThat(socket.getInputStream().read()).isEqualTo(1);

            assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(Duration.ofMillis(200));
        }
    }

    @Test
    void refusesHalfACut() {
        assertThatThrownBy(() -> LinkFaults.NONE.withCuts(Duration.ofSeconds(1), Duration.ZERO, false))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("needs both");
    }
}
