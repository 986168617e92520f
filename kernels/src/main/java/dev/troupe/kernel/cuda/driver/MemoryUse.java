package dev.troupe.kernel.cuda.driver;

import java.util.Locale;

/** What memory of a device is for. */
public enum MemoryUse {
    WEIGHTS("weights"),
    KV("KV"),
    WORKSPACE("workspace");

    private final String label;

    MemoryUse(String label) {
        this.label = label;
    }

    /** For people: {@code weights 1,024 MB}. */
    String line(long bytes) {
        return "%s %s".formatted(label, megabytes(bytes));
    }

    /** Bytes for people; below a megabyte in bytes, so that nothing reads as 0. */
    static String megabytes(long bytes) {
        return bytes < 1_000_000
                ? String.format(Locale.ROOT, "%,d bytes", bytes)
                : String.format(Locale.ROOT, "%,d MB", bytes / 1_000_000);
    }
}
