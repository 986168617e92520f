package dev.troupe.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * A node's HTTP port ({@code troupe.http}).
 *
 * @param enabled whether it has one
 * @param host what it binds to
 * @param port 0 takes a free one
 * @param keys API keys by tenant; empty lets anybody in who reaches the port
 * @param weights shares of tenants among those that wait; 1 for those that are not in it
 * @param insecure whether it may bind off loopback without keys, or without TLS
 * @param tls speaks TLS with these files, and plain HTTP without
 * @param hostNames by which clients call a port on loopback without keys, beside {@code localhost} and literal addresses
 * @param chatTemplate a Jinja file that takes the place of the model's chat template; empty for the model's own
 * @param maxBodyBytes of a request, at most
 * @param mostRunning generations that run at a time
 * @param mostWaiting generations that wait, of all tenants
 * @param mostWaitingPerKey generations that wait, of one tenant
 * @param recordings streams that clients can come back to
 * @param preparing tokenising, templates and guides
 * @param deadline the most time of one generation
 * @param grace how long answers may still run when the port ends
 * @param stalledAfter how long a scheduler that has something to do may get no further before that is no health any more
 */
public record HttpConfig(
        boolean enabled,
        String host,
        int port,
        Map<String, String> keys,
        Map<String, Integer> weights,
        boolean insecure,
        Optional<Tls> tls,
        Set<String> hostNames,
        String chatTemplate,
        int maxBodyBytes,
        int mostRunning,
        int mostWaiting,
        int mostWaitingPerKey,
        Recordings recordings,
        Preparing preparing,
        Duration deadline,
        Duration grace,
        Duration stalledAfter) {
    private static final int SHORTEST_KEY = 16;
    private static final Pattern TENANT = Pattern.compile("[A-Za-z0-9_-]{1,64}");

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+]");

    /** What may stand behind Bearer (RFC 6750, section 2.1). */
    private static final Pattern KEY = Pattern.compile("[A-Za-z0-9._~+/-]+=*");

    private static final int MOST_WEIGHT = 1000;

    /** A node that has not ended after 45 s is stopped. */
    private static final Duration MOST_GRACE = Duration.ofSeconds(30);

    /**
     * Files in PEM, relative to where the process runs.
     *
     * @param certificate the server's; certificates between it and its authority follow it
     * @param key its private key
     * @param clientCa certificates of the authorities that sign those of clients; empty asks clients for none
     */
    public record Tls(Path certificate, Path key, Optional<Path> clientCa) {}

    /**
     * Limits of the streams that are written down for their clients.
     *
     * @param most kept at a time, those that run included
     * @param mostPerKey of them of one tenant
     * @param mostBytes of all their events together
     */
    public record Recordings(int most, int mostPerKey, long mostBytes) {
        public Recordings {
            Check.atLeast("http.recordings", most, 1);
            Check.atLeast("http.recordings-per-key", mostPerKey, 1);
            Check.atLeast("http.recordings-bytes", mostBytes, 1024);
        }
    }

    /**
     * Limits of the work that is done for requests before they wait for the model.
     *
     * @param threads that do it
     * @param mostWaiting requests that wait for them
     * @param mostWaitingPerKey of them of one tenant
     * @param mostBytes of bodies together, those in work and those that are being received included
     * @param mostBytesPerKey of them of one tenant
     */
    public record Preparing(int threads, int mostWaiting, int mostWaitingPerKey, long mostBytes, long mostBytesPerKey) {
        public Preparing {
            Check.atLeast("http.prepare.threads", threads, 1);
            Check.atLeast("http.prepare.waiting", mostWaiting, 0);
            Check.atLeast("http.prepare.waiting-per-key", mostWaitingPerKey, 0);
            Check.atLeast("http.prepare.waiting-bytes", mostBytes, 1024);
            Check.atLeast("http.prepare.waiting-bytes-per-key", mostBytesPerKey, 1024);
        }
    }

    public HttpConfig {
        keys = Map.copyOf(keys);
        weights = Map.copyOf(weights);
        hostNames = Set.copyOf(hostNames);
        Check.holds(port >= 0 && port <= 65_535, "http.port", port, "0 to 65535");
        hostNames.forEach(name -> Check.holds(
                NAME.matcher(name).matches(), "http.host-names", name, "names of hosts, without scheme and port"));
        Check.atLeast("http.max-body", maxBodyBytes, 1024);
        Check.atLeast("http.running", mostRunning, 1);
        Check.atLeast("http.waiting", mostWaiting, 0);
        Check.atLeast("http.waiting-per-key", mostWaitingPerKey, 0);
        weights.forEach((tenant, weight) -> Check.holds(
                weight >= 1 && weight <= MOST_WEIGHT,
                "http.weights",
                "%d of %s".formatted(weight, tenant),
                "1 to %d".formatted(MOST_WEIGHT)));
        Check.holds(
                preparing.mostBytes() >= maxBodyBytes,
                "http.prepare.waiting-bytes",
                preparing.mostBytes(),
                "at least troupe.http.max-body = " + maxBodyBytes);
        Check.holds(
                preparing.mostBytesPerKey() >= maxBodyBytes,
                "http.prepare.waiting-bytes-per-key",
                preparing.mostBytesPerKey(),
                "at least troupe.http.max-body = " + maxBodyBytes);
        Check.holds(deadline.compareTo(Duration.ofSeconds(1)) >= 0, "http.deadline", deadline, "at least 1s");
        Check.holds(!grace.isNegative() && grace.compareTo(MOST_GRACE) <= 0, "http.grace", grace, "0s to 30s");
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
        List<String> missing = new ArrayList<>();
        if (keys.isEmpty()) {
            missing.add("troupe.http.keys { TENANT = KEY } (--api-key), or anybody who reaches it is let in");
        }
        if (tls.isEmpty()) {
            missing.add(
                    "troupe.http.tls { certificate = FILE, key = FILE } (--tls-cert, --tls-key), or keys and prompts can"
                            + " be read on the way");
        }
        if (enabled && !insecure && !BindGuard.isLoopback(host) && !missing.isEmpty()) {
            throw new ConfigurationException(
                    ("troupe.http.host = %s is not a loopback address, and HTTP there needs %s. Set it; or bind to 127.0.0.1 behind"
                                    + " a proxy that has it; or, where the network is yours alone, set troupe.http.insecure = on"
                                    + " (--insecure)")
                            .formatted(host, String.join("; and ", missing)));
        }
    }

    /** Whether the names by which clients call it are checked: anybody's page in a browser here could reach it. */
    public boolean checksHostNames() {
        return keys.isEmpty() && BindGuard.isLoopback(host);
    }

    /** Without keys. */
    @Override
    public String toString() {
        return "HttpConfig[host=%s, port=%d, tenants=%s]".formatted(host, port, keys.keySet());
    }
}
