package dev.troupe.config;

import java.time.Duration;

/** The checks of the records here: each error names the key, the value, and what was expected. */
final class Check {
    private static final int MOST_PORT = 65_535;

    private Check() {}

    static void port(String key, int value) {
        holds(value >= 0 && value <= MOST_PORT, key, value, "a port, 0 to 65535 (0 takes a free one)");
    }

    static void atLeast(String key, long value, long least) {
        holds(value >= least, key, value, "at least " + least);
    }

    static void positive(String key, Duration value) {
        holds(value.isPositive(), key, value, "more than 0");
    }

    static void notBlank(String key, String value) {
        holds(!value.isBlank(), key, "\"" + value + "\"", "something");
    }

    static void holds(boolean condition, String key, Object value, String expected) {
        if (!condition) {
            throw refused(key, value, expected);
        }
    }

    static ConfigurationException refused(String key, Object value, String expected) {
        String whole = "troupe." + key;
        return new ConfigurationException(whole, "%s = %s, expected %s".formatted(whole, value, expected), null);
    }
}
