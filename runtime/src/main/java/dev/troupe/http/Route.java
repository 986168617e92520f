package dev.troupe.http;

import java.util.Optional;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.http.javadsl.model.HttpResponse;

/**
 * One route.
 *
 * @param method {@code GET}, {@code POST} or {@code DELETE}
 * @param path from the root; {@code {id}} stands for one part
 * @param access who may use it
 * @param handler what it does
 */
record Route(String method, String path, Access access, Handler handler) {
    private static final String ID = "{id}";

    /** Who may use a route. */
    enum Access {
        /** Anybody who reaches the port: a load balancer has no key. */
        ANYBODY,
        /** Who has a key, where there are keys. */
        KEY
    }

    /** Answers requests. What it throws becomes an answer too. */
    @FunctionalInterface
    interface Handler {
        CompletionStage<HttpResponse> handle(Exchange exchange);
    }

    /** What stands for {@code {id}} in {@code asked}, empty text where the path has none; nothing if it is another path. */
    Optional<String> match(String asked) {
        int at = path.indexOf(ID);
        if (at < 0) {
            return asked.equals(path) ? Optional.of("") : Optional.empty();
        }
        String before = path.substring(0, at);
        String after = path.substring(at + ID.length());
        if (!asked.startsWith(before) || !asked.endsWith(after) || asked.length() <= before.length() + after.length()) {
            return Optional.empty();
        }
        String id = asked.substring(before.length(), asked.length() - after.length());
        return id.contains("/") ? Optional.empty() : Optional.of(id);
    }
}
