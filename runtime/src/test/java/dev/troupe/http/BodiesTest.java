package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Bodies count while they are received, whoever sends them how slowly. */
class BodiesTest {
    /** Of one body; a key may have half as much again. */
    private static final int MOST = 8 * 1024;

    private static final int SOME = 5 * 1024;
    private static final String TOKENIZE = "{\"prompt\": \"Once\"}";
    private static Served served;

    @BeforeAll
    static void start() throws Exception {
        served = Served.start(Map.of(
                "troupe.http.max-body",
                "8 KiB",
                "troupe.http.prepare.waiting-bytes",
                "24 KiB",
                "troupe.http.prepare.waiting-bytes-per-key",
                "12 KiB"));
    }

    @AfterAll
    static void end() {
        served.close();
    }

    /** A request of which a part has been sent. */
    private static final class Unfinished implements AutoCloseable {
        private final Socket socket;

        private Unfinished(String key, String length) throws IOException {
            URI uri = served.uri("/tokenize");
            socket = new Socket(uri.getHost(), uri.getPort());
            send(
                    "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer "
                            + key + "\r\n" + length + "\r\n\r\n");
        }

        /** All that is sent is its length. */
        static Unfinished sized(String key, int length) throws IOException {
            return new Unfinished(key, "Content-Length: " + length);
        }

        static Unfinished chunked(String key) throws IOException {
            return new Unfinished(key, "Transfer-Encoding: chunked");
        }

        void chunk(String text) throws IOException {
            send("%x\r\n%s\r\n".formatted(text.length(), text));
        }

        void send(String text) throws IOException {
            OutputStream out = socket.getOutputStream();
            out.write(text.getBytes(StandardCharsets.UTF_8));
            out.flush();
        }

        /** The answer's first line. */
        String status() throws IOException {
            InputStream in = socket.getInputStream();
            StringBuilder line = new StringBuilder();
            for (int next = in.read(); next >= 0 && next != '\r'; next = in.read()) {
                line.append((char) next);
            }
            return line.toString();
        }

        boolean answered() throws IOException {
            return socket.getInputStream().available() > 0;
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    private interface Opening {
        Unfinished open() throws IOException;
    }

    /** A request that has taken its key's room; opened again where one of those that ask whether it has was there before it. */
    private static Unfinished holding(Opening opening) throws Exception {
        Unfinished[] held = {opening.open()};
        Served.await("its key has no room", () -> {
            try {
                if (held[0].answered()) {
                    held[0].close();
                    held[0] = opening.open();
                }
                return status(Served.KEY, SOME) == 429 && !held[0].answered();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        });
        return held[0];
    }

    private static Unfinished twoChunks() throws IOException {
        Unfinished chunked = Unfinished.chunked(Served.KEY);
        chunked.chunk(padded(SOME));
        chunked.chunk(" ".repeat(MOST - SOME));
        return chunked;
    }

    private static String padded(int length) {
        return TOKENIZE + " ".repeat(length - TOKENIZE.length());
    }

    private static int status(String key, int length) {
        try {
            return served.send(HttpRequest.newBuilder(served.uri("/tokenize"))
                            .header("Authorization", "Bearer " + key)
                            .header("Content-Type", "application/json")
                            .POST(HttpRequest.BodyPublishers.ofString(padded(length)))
                            .build())
                    .statusCode();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void takesRoomForWhatIsComingBeforeItComesAndGivesItBack() throws Exception {
        try (Unfinished large = holding(() -> Unfinished.sized(Served.KEY, MOST))) {
            assertThat(status(Served.OTHER_KEY, SOME)).isEqualTo(200);
            large.send(padded(MOST));

            assertThat(large.status()).isEqualTo("HTTP/1.1 200 OK");
        }
        try (Unfinished givenUp = holding(() -> Unfinished.sized(Served.KEY, MOST))) {
            givenUp.send("{");
        }

        Served.await("it has room again", () -> status(Served.KEY, SOME) == 200);
    }

    @Test
    void countsWhatHasNoLengthPieceByPiece() throws Exception {
        try (Unfinished first = holding(BodiesTest::twoChunks);
                Unfinished second = Unfinished.chunked(Served.KEY)) {
            second.chunk(padded(SOME));
            assertThat(second.status()).isEqualTo("HTTP/1.1 429 Too Many Requests");
            first.send("0\r\n\r\n");

            assertThat(first.status()).isEqualTo("HTTP/1.1 200 OK");
        }
        Served.await("it has room again", () -> status(Served.KEY, MOST) == 200);
    }

    @Test
    void refusesWhatIsTooLargeWhetherOrNotItSaysSo() throws Exception {
        try (Unfinished sized = Unfinished.sized(Served.OTHER_KEY, MOST + 1);
                Unfinished chunked = Unfinished.chunked(Served.OTHER_KEY)) {
            assertThat(sized.status()).startsWith("HTTP/1.1 413");
            chunked.chunk(padded(MOST));
            chunked.chunk("x");

            assertThat(chunked.status()).startsWith("HTTP/1.1 413");
        }
    }
}
