package dev.troupe.node;

import java.nio.file.Path;

/** Where this Troupe is installed, and what came with it. */
public final class Installation {
    /** Name of the model that comes with Troupe. */
    public static final String BUNDLED_MODEL = "tales";

    private Installation() {}

    /** The folder of the launcher; the working directory where Troupe was not started by it. */
    public static Path home() {
        return Path.of(System.getProperty("troupe.home", ""));
    }

    /** Directory of the bundled model. */
    public static Path bundledModel() {
        return home().resolve("runtime/src/main/models").resolve(BUNDLED_MODEL);
    }

    /** Directory of what is remembered for this user and can be made again. */
    static Path userCache() {
        String caches = System.getenv("XDG_CACHE_HOME");
        return caches == null || caches.isBlank()
                ? Path.of(System.getProperty("user.home"), ".cache", "troupe")
                : Path.of(caches, "troupe");
    }

    /** Directory of the ready configurations. */
    public static Path clusterConfig() {
        return home().resolve("cluster-config");
    }
}
