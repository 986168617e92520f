package dev.troupe.http;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.http.javadsl.model.HttpResponse;

/**
 * One route.
 *
 * @param method {@code GET}, {@code POST} or {@code DELETE}
 * @param path from the root; {@code {id}} stands for one part, {@code {path}} for one or more, with the slashes between
 * @param access who may use it
 * @param handler what it does
 */
record Route(String method, String path, Access access, Handler handler) {
    private static final String ID = "{id}";
    private static final String PATH = "{path}";

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

    /**
     * What stands for {@code {id}} or {@code {path}} in {@code asked}, percent-decoded; empty text where the path has none of
     * them; nothing if it is another path.
     */
    Optional<String> match(String asked) {
        boolean whole = path.contains(PATH);
        String placeholder = whole ? PATH : ID;
        int at = path.indexOf(placeholder);
        if (at < 0) {
            return asked.equals(path) ? Optional.of("") : Optional.empty();
        }
        String before = path.substring(0, at);
        String after = path.substring(at + placeholder.length());
        if (!asked.startsWith(before) || !asked.endsWith(after) || asked.length() <= before.length() + after.length()) {
            return Optional.empty();
        }
        String found = asked.substring(before.length(), asked.length() - after.length());
        return found.contains("/") && !whole ? Optional.empty() : decoded(found);
    }

    private static Optional<String> decoded(String part) {
        try {
            return Optional.of(URLDecoder.decode(part.replace("+", "%2B"), StandardCharsets.UTF_8));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }
}
