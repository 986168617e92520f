package dev.troupe.config;

import java.time.Duration;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A node's HTTP port ({@code troupe.http}).
 *
 * @param enabled whether it has one
 * @param host what it binds to
 * @param port 0 takes a free one
 * @param keys API keys by tenant; empty lets anybody in who reaches the port
 * @param weights shares of tenants among those that wait; 1 for those that are not in it
 * @param insecure whether it may bind off loopback all the same
 * @param chatTemplate a Jinja file that takes the place of the model's chat template; empty for the model's own
 * @param maxBodyBytes of a request, at most
 * @param mostRunning generations that run at a time
 * @param mostWaiting generations that wait, of all tenants
 * @param mostWaitingPerKey generations that wait, of one tenant
 * @param recordings streams that clients can come back to, kept at a time
 * @param deadline the most time of one generation
 * @param stalledAfter how long a scheduler that has something to do may get no further before that is no health any more
 */
public record HttpConfig(
        boolean enabled,
        String host,
        int port,
        Map<String, String> keys,
        Map<String, Integer> weights,
        boolean insecure,
        String chatTemplate,
        int maxBodyBytes,
        int mostRunning,
        int mostWaiting,
        int mostWaitingPerKey,
        int recordings,
        Duration deadline,
        Duration stalledAfter) {
    private static final int SHORTEST_KEY = 16;
    private static final Pattern TENANT = Pattern.compile("[A-Za-z0-9_-]{1,64}");

    /** What may stand behind Bearer (RFC 6750, section 2.1). */
    private static final Pattern KEY = Pattern.compile("[A-Za-z0-9._~+/-]+=*");

    private static final int MOST_WEIGHT = 1000;

    public HttpConfig {
        keys = Map.copyOf(keys);
        weights = Map.copyOf(weights);
        Check.holds(port >= 0 && port <= 65_535, "http.port", port, "0 to 65535");
        Check.atLeast("http.max-body", maxBodyBytes, 1024);
        Check.atLeast("http.running", mostRunning, 1);
        Check.atLeast("http.waiting", mostWaiting, 0);
        Check.atLeast("http.waiting-per-key", mostWaitingPerKey, 0);
        weights.forEach((tenant, weight) -> Check.holds(
                weight >= 1 && weight <= MOST_WEIGHT,
                "http.weights",
                "%d of %s".formatted(weight, tenant),
                "1 to %d".formatted(MOST_WEIGHT)));
        Check.atLeast("http.recordings", recordings, 1);
        Check.holds(deadline.compareTo(Duration.ofSeconds(1)) >= 0, "http.deadline", deadline, "at least 1s");
        Check.holds(
                stalledAfter.compareTo(Duration.ofSeconds(1)) >= 0, "http.stalled-after", stalledAfter, "at least 1s");
        keys.keySet()
                .forEach(tenant -> Check.holds(
                        TENANT.matcher(tenant).matches(),
                        "http.keys",
                        tenant,
                        "names of tenants of at most 64 letters, digits, - and _"));
        keys.forEach((tenant, key) -> Check.holds(
                KEY.matcher(key).matches(),
                "http.keys",
                "a key for %s".formatted(tenant),
                "keys of letters, digits and - . _ ~ + / with = at the end only"));
        keys.forEach((tenant, key) -> Check.holds(
                key.length() >= SHORTEST_KEY,
                "http.keys",
                "a key of %d characters for %s".formatted(key.length(), tenant),
                "at least %d characters".formatted(SHORTEST_KEY)));
        if (enabled && !insecure && !BindGuard.isLoopback(host)) {
            throw new ConfigurationException(
                    ("troupe.http.host = %s is not a loopback address, and HTTP there is plain text: keys and prompts could be"
                                    + " read on the way. Bind to 127.0.0.1 behind a proxy that speaks TLS; or, where the network"
                                    + " is yours alone, set troupe.http.insecure = on (--insecure)%s")
                            .formatted(host, keys.isEmpty() ? " and troupe.http.keys" : ""));
        }
    }

    /** Without keys. */
    @Override
    public String toString() {
        return "HttpConfig[host=%s, port=%d, tenants=%s]".formatted(host, port, keys.keySet());
    }
}
