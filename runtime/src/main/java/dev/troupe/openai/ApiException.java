package dev.troupe.openai;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.util.Locale;

/** A server's refusal, or an answer of a server that is none. */
public final class ApiException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Characters of what a server says that are repeated. */
    private static final int SHOWN = 400;

    private static final ObjectMapper MAPPER = new ObjectMapper();

    /** What went wrong, as far as a caller may act on it. */
    public enum Kind {
        /** The server answered with an error. */
        REFUSED,
        /** There is no server. */
        NO_CONNECTION,
        /** One side does not trust the other, or does not speak TLS. */
        UNTRUSTED,
        /** The connection broke before the answer was whole. */
        BROKEN,
        /** The stream ended in good order, but without its last word: nobody knows whether the text is whole. */
        NOT_DONE,
        /** The answer is not what the API says. */
        MALFORMED,
        /** The time for it is over. */
        TIMEOUT
    }

    private final Kind kind;
    private final int status;
    private final String code;

    private ApiException(Kind kind, int status, String code, String message) {
        super(message);
        this.kind = kind;
        this.status = status;
        this.code = code;
    }

    /** An answer with an HTTP status that is no success. */
    static ApiException refused(int status, String body) {
        try {
            return of(status, MAPPER.readTree(body));
        } catch (JsonProcessingException e) {
            return new ApiException(Kind.REFUSED, status, "", printable(body));
        }
    }

    /** An error object, as the OpenAI API has it or near to that; a stream may hold one although its status was a success. */
    static ApiException of(int status, JsonNode body) {
        JsonNode error = body.path("error").isObject() ? body.path("error") : body;
        String code = error.path("code").asText("");
        String type = error.path("type").asText("");
        JsonNode message = error.path("message");
        String said = message.isTextual() ? message.textValue() : body.toString();
        return new ApiException(
                Kind.REFUSED, status, printable(code.isEmpty() || code.equals("null") ? type : code), printable(said));
    }

    /** No whole answer came in time. */
    public static ApiException timeout(Duration limit) {
        return without(Kind.TIMEOUT, "no whole answer within %s s".formatted(limit.toMillis() / 1e3));
    }

    static ApiException without(Kind kind, String message) {
        return new ApiException(kind, 0, kind.name().toLowerCase(Locale.ROOT), message);
    }

    static ApiException at(int status, Kind kind, String message) {
        return new ApiException(kind, status, kind.name().toLowerCase(Locale.ROOT), message);
    }

    public Kind kind() {
        return kind;
    }

    /** The HTTP status, or 0 if none came. */
    public int status() {
        return status;
    }

    /** The server's word for it, or ours; may be empty. */
    public String code() {
        return code;
    }

    /** Status and code, by which failures are counted. */
    public String label() {
        return (status == 0 ? code : status + " " + code).strip();
    }

    /** What a server says must not steer a terminal. */
    private static String printable(String text) {
        String flat = text.replaceAll("[\\p{Cc}\\s]+", " ").strip();
        return flat.length() <= SHOWN ? flat : flat.substring(0, SHOWN) + "...";
    }
}
