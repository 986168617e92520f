package dev.troupe.openai;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class EventReaderTest {
    private static final String STREAM = """
            : a comment
            id: 1
            data: {"text": "wörld \ud83d\ude80"}

            event: other
            data:two
            data: lines



            data

            data: [DONE]

            """;
    private static final List<String> EVENTS =
            List.of("{\"text\": \"wörld \ud83d\ude80\"}", "two\nlines", "", "[DONE]");

    /** Gives at most so many bytes at a time. */
    private static InputStream inPiecesOf(int size, String text) {
        return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)) {
            @Override
            public synchronized int read(byte[] into, int offset, int length) {
                return super.read(into, offset, Math.min(length, size));
            }
        };
    }

    private static List<String> read(InputStream in) throws IOException {
        EventReader reader = new EventReader(in);
        List<String> events = new ArrayList<>();
        for (Optional<String> event = reader.next(); event.isPresent(); event = reader.next()) {
            events.add(event.get());
        }
        return events;
    }

    @Test
    void readsTheSameEventsHoweverTheBytesAreCut() throws IOException {
        for (int size = 1; size < 40; size++) {
            assertThat(read(inPiecesOf(size, STREAM))).as("pieces of %d", size).isEqualTo(EVENTS);
        }
    }

    @Test
    void readsTheSameEventsWhateverEndsLines() throws IOException {
        for (String end : List.of("\r\n", "\r")) {
            for (int size = 1; size < 40; size++) {
                assertThat(read(inPiecesOf(size, STREAM.replace("\n", end)))).isEqualTo(EVENTS);
            }
        }
    }

    @Test
    void doesNotWaitForWhatMayFollowAReturn() throws IOException {
        InputStream in = new InputStream() {
            private final byte[] bytes = "data: one\r\r".getBytes(StandardCharsets.UTF_8);
            private int next;

            @Override
            public int read() {
                if (next == bytes.length) {
                    throw new AssertionError("read beyond the event");
                }
                return bytes[next++];
            }

            @Override
            public int read(byte[] into, int offset, int length) {
                into[offset] = (byte) read();
                return 1;
            }
        };

        assertThat(new EventReader(in).next()).contains("one");
    }

    @Test
    void anEventThatIsCutOffIsNone() throws IOException {
        assertThat(read(inPiecesOf(9, "data: one\n\ndata: [DONE]"))).containsExactly("one");
        assertThat(read(inPiecesOf(9, "data: one\n\ndata: [DONE]\n"))).containsExactly("one");
    }

    @Test
    void aByteOrderMarkIsNoPartOfTheFirstField() throws IOException {
        assertThat(read(inPiecesOf(2, "\ufeffdata: one\n\n"))).containsExactly("one");
    }
}
