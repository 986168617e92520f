package dev.troupe.http;

import java.util.OptionalLong;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.scaladsl.model.EntityStreamSizeException;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.util.ByteString;

/**
 * Receives the bodies of requests. Room for them is taken before they come, as much as they say that they need, or piece by piece where
 * they do not say it. Thread-safe.
 */
final class Bodies {
    private static final long WITHIN_MILLIS = 30_000;

    private final ActorSystem<?> system;
    private final Preparation preparation;
    private final int mostBytes;

    /** @param mostBytes of one body */
    Bodies(ActorSystem<?> system, Preparation preparation, int mostBytes) {
        this.system = system;
        this.preparation = preparation;
        this.mostBytes = mostBytes;
    }

    /** A whole body, and the room that it has. */
    record Received(ByteString bytes, Preparation.Room room) {}

    /**
     * Receives the body of a tenant's request.
     *
     * @throws ApiError 413 if it is too large, 415 if it is no JSON, 429 or 503 if there is no room for it; some of them in what is
     *     returned
     */
    CompletionStage<Received> receive(HttpRequest request, String tenant) {
        BrowserGuard.requireJson(request);
        if (request.getHeader("Content-Encoding").isPresent()) {
            throw ApiError.malformed("compressed bodies are not taken; send the JSON as it is");
        }
        OptionalLong length = request.entity().getContentLengthOption();
        if (length.orElse(0) > mostBytes) {
            throw tooLarge();
        }
        Preparation.Room room = preparation.room(tenant, length.orElse(0));
        HttpRequest counted = length.isPresent() ? request : counted(request, room);
        return counted.entity()
                .withSizeLimit(mostBytes)
                .toStrict(WITHIN_MILLIS, system)
                .handle((strict, failure) -> {
                    if (failure != null) {
                        room.close();
                        throw error(failure);
                    }
                    return new Received(strict.getData(), room);
                });
    }

    private static HttpRequest counted(HttpRequest request, Preparation.Room room) {
        return request.transformEntityDataBytes(Flow.<ByteString>create().map(bytes -> {
            room.grow(bytes.size());
            return bytes;
        }));
    }

    private ApiError error(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return switch (cause) {
            case ApiError error -> error;
            case EntityStreamSizeException _ -> tooLarge();
            default -> ApiError.malformed("the body did not come whole within %d s".formatted(WITHIN_MILLIS / 1000));
        };
    }

    private ApiError tooLarge() {
        return ApiError.tooLarge("the body has more than %d bytes".formatted(mostBytes));
    }
}
