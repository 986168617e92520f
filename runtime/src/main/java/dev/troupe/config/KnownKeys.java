package dev.troupe.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import java.util.Comparator;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** The keys under {@code troupe} that exist: those of the reference files. A key that nobody reads is a mistake. */
final class KnownKeys {
    private static final String ROOT = "troupe";

    /** Sections whose keys are up to the user, or to Pekko. */
    private static final Set<String> FREE = Set.of(
            "troupe.models",
            "troupe.http.keys",
            "troupe.http.weights",
            "troupe.shard-dispatcher",
            "troupe.guide-dispatcher");

    private final Set<String> sections = new TreeSet<>();
    private final Set<String> settings = new TreeSet<>();

    /** @param reference all reference files merged */
    KnownKeys(Config reference) {
        collect(ROOT, reference.getObject(ROOT));
    }

    private void collect(String path, ConfigObject section) {
        for (Map.Entry<String, ConfigValue> entry : section.entrySet()) {
            String key = key(path, entry.getKey());
            if (entry.getValue() instanceof ConfigObject inner) {
                sections.add(key);
                if (!FREE.contains(key)) {
                    collect(key, inner);
                }
            } else {
                settings.add(key);
            }
        }
    }

    /**
     * Refuses what is not known.
     *
     * @throws ConfigurationException naming an unknown key, where it stands, and the nearest known one
     */
    void require(Config user) {
        if (user.hasPath(ROOT)) {
            require(ROOT, user.getObject(ROOT));
        }
    }

    private void require(String path, ConfigObject section) {
        for (Map.Entry<String, ConfigValue> entry : section.entrySet()) {
            String key = key(path, entry.getKey());
            if (!sections.contains(key) && !settings.contains(key)) {
                Set<String> alike = entry.getValue() instanceof ConfigObject ? sections : settings;
                throw new ConfigurationException("%s: %s is no key of Troupe; the nearest is %s"
                        .formatted(entry.getValue().origin().description(), key, nearest(key, alike)));
            }
            if (entry.getValue() instanceof ConfigObject inner && !FREE.contains(key)) {
                require(key, inner);
            }
        }
    }

    private static String key(String path, String name) {
        return path + "." + ConfigUtil.joinPath(name);
    }

    /** Those whose own name takes the fewest edits to reach; of several, those whose whole path does. */
    private static String nearest(String key, Set<String> known) {
        Comparator<String> likeness = Comparator.<String>comparingInt(other -> unlikeness(name(key), name(other)))
                .thenComparingInt(other -> distance(key, other));
        String first = known.stream().min(likeness).orElseThrow();
        return known.stream()
                .filter(other -> likeness.compare(first, other) == 0)
                .sorted()
                .collect(Collectors.joining(" or "));
    }

    /** Edits, but cutting a name short is one slip. */
    private static int unlikeness(String name, String other) {
        int edits = distance(name, other);
        return name.length() > 2 && other.startsWith(name) ? Math.min(1, edits) : edits;
    }

    private static String name(String key) {
        return key.substring(key.lastIndexOf('.') + 1);
    }

    /** Edit distance in which swapping two neighbours is one edit (Damerau, restricted). */
    static int distance(String a, String b) {
        int[][] d = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    d[i][j] = i + j;
                    continue;
                }
                int change = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
                int least = Math.min(Math.min(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + change);
                boolean swapped =
                        i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1);
                d[i][j] = swapped ? Math.min(least, d[i - 2][j - 2] + 1) : least;
            }
        }
        return d[a.length()][b.length()];
    }
}
