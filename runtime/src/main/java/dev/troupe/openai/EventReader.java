package dev.troupe.openai;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * Reads server-sent events from bytes, however these are cut into pieces: only the data of each event, which is what the OpenAI API
 * uses of them. Lines end with LF, CRLF or CR; what stands after the last empty line is no event (HTML Living Standard, 9.2.6).
 * Belongs to one thread.
 */
public final class EventReader {
    /** Bytes of one line, beyond which a server is not trusted. */
    private static final int LONGEST_LINE = 16 << 20;

    private static final String BYTE_ORDER_MARK = "\ufeff";

    private final InputStream in;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private boolean afterReturn;
    private boolean atStart = true;

    public EventReader(InputStream in) {
        this.in = new BufferedInputStream(in);
    }

    /**
     * The data of the next event, its lines joined by LF; empty at the end of the stream.
     *
     * @throws IOException if the bytes cannot be read, or a line is longer than any event
     */
    public Optional<String> next() throws IOException {
        StringBuilder data = null;
        for (Optional<String> next = nextLine(); next.isPresent(); next = nextLine()) {
            String text = next.get();
            if (text.isEmpty() && data != null) {
                return Optional.of(data.toString());
            }
            int colon = text.indexOf(':');
            String field = colon < 0 ? text : text.substring(0, colon);
            if (field.equals("data")) {
                data = data == null ? new StringBuilder() : data.append('\n');
                data.append(value(text, colon));
            }
        }
        return Optional.empty();
    }

    /** What stands after the colon, without the one blank that may stand there. */
    private static String value(String text, int colon) {
        if (colon < 0) {
            return "";
        }
        return text.startsWith(" ", colon + 1) ? text.substring(colon + 2) : text.substring(colon + 1);
    }

    /** A whole line. After a CR nothing is waited for: whether an LF belongs to it shows at the next line. */
    private Optional<String> nextLine() throws IOException {
        line.reset();
        for (int next = in.read(); next >= 0; next = in.read()) {
            boolean secondOfTwo = afterReturn && next == '\n';
            afterReturn = next == '\r';
            if (secondOfTwo) {
                continue;
            }
            if (next == '\n' || next == '\r') {
                return Optional.of(text());
            }
            if (line.size() == LONGEST_LINE) {
                throw new IOException("a line of the stream has more than %d bytes".formatted(LONGEST_LINE));
            }
            line.write(next);
        }
        return Optional.empty();
    }

    private String text() {
        String text = line.toString(StandardCharsets.UTF_8);
        boolean marked = atStart && text.startsWith(BYTE_ORDER_MARK);
        atStart = false;
        return marked ? text.substring(1) : text;
    }
}
