package dev.troupe.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import org.jspecify.annotations.Nullable;

/**
 * The native tokenizers library, unpacked once a user and loaded once a process. It is loaded from here, not by the
 * library's own loader, because that one initialises CUDA to count GPUs, warns where there is none, and may download.
 */
final class NativeTokenizers {
    private static final String ROOT = "native/lib/";
    private static final List<String> PLATFORMS = List.of("linux-x86_64", "linux-aarch64", "osx-aarch64", "win-x86_64");

    private NativeTokenizers() {}

    /** The library, ready for calls. */
    static TokenizersLibrary library() {
        return Loaded.LIBRARY;
    }

    private static final class Loaded {
        static final TokenizersLibrary LIBRARY = load();

        /** Loading native code is restricted: java.options permits it. */
        @SuppressWarnings("restricted")
        private static TokenizersLibrary load() {
            String platform = platform(System.getProperty("os.name"), System.getProperty("os.arch"));
            try {
                Path folder = cacheFolder(System.getenv("XDG_CACHE_HOME"), System.getProperty("user.home"))
                        .resolve("tokenizers-%s-%s".formatted(version(), platform));
                for (String file : files(platform)) {
                    System.load(unpack(ROOT + platform + "/cpu/" + file, folder, file)
                            .toAbsolutePath()
                            .toString());
                }
            } catch (IOException e) {
                throw new UncheckedIOException(
                        "the native tokenizers library cannot be unpacked: " + e.getMessage(), e);
            }
            return TokenizersLibrary.LIB;
        }
    }

    /**
     * The name under which the library is shipped.
     *
     * @throws IllegalStateException if it is not shipped for this system
     */
    static String platform(String osName, String osArch) {
        String os = osName.toLowerCase(Locale.ROOT);
        String system = os.startsWith("windows") ? "win" : os.startsWith("mac") ? "osx" : os;
        String arch = osArch.equals("amd64") ? "x86_64" : osArch;
        String platform = system + "-" + arch;
        if (!PLATFORMS.contains(platform)) {
            throw new IllegalStateException(
                    "there is no tokenizers library for os.name=%s, os.arch=%s; there is one for %s"
                            .formatted(osName, osArch, String.join(", ", PLATFORMS)));
        }
        return platform;
    }

    private static List<String> files(String platform) {
        return switch (platform) {
            case "osx-aarch64" -> List.of("libtokenizers.dylib");
            case "win-x86_64" ->
                List.of("libwinpthread-1.dll", "libgcc_s_seh-1.dll", "libstdc++-6.dll", "tokenizers.dll");
            default -> List.of("libtokenizers.so");
        };
    }

    /** {@code troupe/native} in the user's cache folder. */
    static Path cacheFolder(@Nullable String xdgCacheHome, String userHome) {
        Path cache =
                xdgCacheHome == null || xdgCacheHome.isEmpty() ? Path.of(userHome, ".cache") : Path.of(xdgCacheHome);
        return cache.resolve("troupe").resolve("native");
    }

    private static String version() throws IOException {
        Properties properties = new Properties();
        try (InputStream in = resource(ROOT + "tokenizers.properties").openStream()) {
            properties.load(in);
        }
        return properties.getProperty("version", "unknown");
    }

    /**
     * The resource as a file. Processes that start together may all unpack: each writes its own temporary file and moves
     * it into place.
     */
    static Path unpack(String resource, Path folder, String name) throws IOException {
        URL url = resource(resource);
        Path target = folder.resolve(name);
        if (Files.isRegularFile(target)
                && Files.size(target) == url.openConnection().getContentLengthLong()) {
            return target;
        }
        Path place = writable(folder);
        Path temporary = Files.createTempFile(place, "unpacking", null);
        try (InputStream in = url.openStream()) {
            Files.copy(in, temporary, StandardCopyOption.REPLACE_EXISTING);
            return Files.move(
                    temporary,
                    place.resolve(name),
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /** The folder, or where it cannot be written (a read-only home), a private temporary one. */
    private static Path writable(Path folder) throws IOException {
        try {
            Files.createDirectories(folder);
            if (Files.isWritable(folder)) {
                return folder;
            }
        } catch (IOException e) {
            // fall through: the temporary folder serves as well, only it is unpacked again by the next process
        }
        return Files.createTempDirectory("troupe-native");
    }

    private static URL resource(String name) throws IOException {
        URL url = TokenizersLibrary.class.getClassLoader().getResource(name);
        if (url == null) {
            throw new IOException(name + " is not on the class path");
        }
        return url;
    }
}
