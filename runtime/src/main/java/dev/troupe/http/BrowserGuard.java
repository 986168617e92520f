package dev.troupe.http;

import dev.troupe.config.BindGuard;
import dev.troupe.config.HttpConfig;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.MediaType;
import org.apache.pekko.http.javadsl.model.headers.Host;

/**
 * Keeps web pages from using the port through the browser of somebody here. A page may send a form or plain text to any address
 * without being asked, but JSON only if the server allows its origin, which this one never does: so what is no JSON is refused. A page
 * whose own name leads to a loopback address (DNS rebinding) counts as the server's origin: so where there are no keys, a port on
 * loopback is called by known names only.
 */
final class BrowserGuard {
    private final boolean checksNames;
    private final Set<String> names;

    BrowserGuard(HttpConfig config) {
        this.checksNames = config.checksHostNames();
        this.names = config.hostNames().stream()
                .map(name -> name.toLowerCase(Locale.ROOT))
                .collect(Collectors.toSet());
    }

    /**
     * Checks by which name the client calls the server.
     *
     * @throws ApiError 403 if a page of somebody else may have chosen it
     */
    void requireName(HttpRequest request) {
        if (!checksNames) {
            return;
        }
        String name = request.getHeader(Host.class)
                .map(host -> host.host().address())
                .orElse("")
                .toLowerCase(Locale.ROOT);
        if (!BindGuard.isLoopback(name) && !names.contains(name)) {
            throw ApiError.hostName(
                    "the header Host names no host of this server; expected localhost, a loopback address, or a name of troupe.http.host-names. Keys (troupe.http.keys) let any name in");
        }
    }

    /**
     * Checks that a body says that it is JSON.
     *
     * @throws ApiError 415 if it does not
     */
    static void requireJson(HttpRequest request) {
        MediaType type = request.entity().getContentType().mediaType();
        if (!type.mainType().equals("application") || !type.subType().equals("json")) {
            throw ApiError.notJson(
                    "Content-Type=%s/%s, expected application/json; curl needs -H 'Content-Type: application/json'"
                            .formatted(type.mainType(), type.subType()));
        }
    }
}
