package dev.troupe.http;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import org.apache.pekko.NotUsed;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpEntities;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.MediaTypes;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.util.ByteString;

/** Answers in the forms that routes give. */
final class Responses {
    private static final String RETRY_AFTER_SECONDS = "1";
    private static final int UNAUTHORIZED = 401;
    private static final Duration SIGN_OF_LIFE = Duration.ofSeconds(15);
    private static final ByteString COMMENT = ByteString.fromString(": still working\n\n");

    private Responses() {}

    static HttpResponse json(JsonNode body) {
        return json(200, body);
    }

    static HttpResponse json(int status, JsonNode body) {
        return HttpResponse.create()
                .withStatus(status)
                .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, body.toString()));
    }

    static HttpResponse text(String text) {
        return HttpResponse.create().withEntity(HttpEntities.create(ContentTypes.TEXT_PLAIN_UTF8, text));
    }

    static HttpResponse error(ApiError error) {
        HttpResponse response = json(error.status(), error.toJson());
        if (error.status() == UNAUTHORIZED) {
            response = response.addHeader(RawHeader.create("WWW-Authenticate", "Bearer"));
        }
        // The usual clients repeat every 409 and 5xx otherwise.
        return error.isTemporary()
                ? response.addHeader(RawHeader.create("Retry-After", RETRY_AFTER_SECONDS))
                : response.addHeader(RawHeader.create("x-should-retry", "false"));
    }

    /** Server-sent events, which nobody on the way may keep or gather. */
    static HttpResponse events(Source<ByteString, ?> events) {
        Source<ByteString, NotUsed> body =
                events.mapMaterializedValue(_ -> NotUsed.getInstance()).keepAlive(SIGN_OF_LIFE, () -> COMMENT);
        return HttpResponse.create()
                .withEntity(HttpEntities.createChunked(MediaTypes.TEXT_EVENT_STREAM.toContentType(), body))
                .addHeader(RawHeader.create("Cache-Control", "no-cache"))
                .addHeader(RawHeader.create("X-Accel-Buffering", "no"));
    }
}
