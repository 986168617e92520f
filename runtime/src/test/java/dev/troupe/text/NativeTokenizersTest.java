package dev.troupe.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeTokenizersTest {
    private static final String RESOURCE = "native/lib/tokenizers.properties";

    @Test
    void namesThePlatformsThereAreWhereThisIsNone() {
        assertThat(NativeTokenizers.platform("Linux", "amd64")).isEqualTo("linux-x86_64");
        assertThat(NativeTokenizers.platform("Mac OS X", "aarch64")).isEqualTo("osx-aarch64");
        assertThat(NativeTokenizers.platform("Windows 11", "amd64")).isEqualTo("win-x86_64");
        assertThatThrownBy(() -> NativeTokenizers.platform("Linux", "riscv64"))
                .hasMessage("there is no tokenizers library for os.name=Linux, os.arch=riscv64; "
                        + "there is one for linux-x86_64, linux-aarch64, osx-aarch64, win-x86_64");
    }

    @Test
    void unpacksIntoTheUsersCacheFolder() {
        assertThat(NativeTokenizers.cacheFolder(null, "/home/me")).isEqualTo(Path.of("/home/me/.cache/troupe/native"));
        assertThat(NativeTokenizers.cacheFolder("", "/home/me")).isEqualTo(Path.of("/home/me/.cache/troupe/native"));
        assertThat(NativeTokenizers.cacheFolder("/cache", "/home/me")).isEqualTo(Path.of("/cache/troupe/native"));
    }

    @Test
    void replacesAFileThatWasCutShort(@TempDir Path folder) throws IOException {
        Path cache = folder.resolve("cache");
        Path target = cache.resolve("lib");
        NativeTokenizers.unpack(RESOURCE, cache, "lib");
        String whole = Files.readString(target);
        Files.writeString(target, "half");

        Path unpacked = NativeTokenizers.unpack(RESOURCE, cache, "lib");

        assertThat(unpacked).isEqualTo(target).hasContent(whole);
    }

    @Test
    void fallsBackToATemporaryFolderWhereTheCacheCannotBeMade(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "no folder");

        Path unpacked = NativeTokenizers.unpack(RESOURCE, file.resolve("below"), "lib");

        assertThat(unpacked).isNotEmptyFile().hasFileName("lib");
        Files.delete(unpacked);
    }

    @Test
    void unpacksOnceWhenManyStartTogether(@TempDir Path folder)
            throws IOException, InterruptedException, ExecutionException {
        Path cache = folder.resolve("cache");
        Path target = cache.resolve("lib");
        Callable<Path> unpack = () -> NativeTokenizers.unpack(RESOURCE, cache, "lib");
        try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
            for (Future<Path> unpacked :
                    threads.invokeAll(Stream.generate(() -> unpack).limit(64).toList())) {
                assertThat(unpacked.get()).isEqualTo(target);
            }
        }

        try (Stream<Path> left = Files.list(cache)) {
            assertThat(left.toList()).isEqualTo(List.of(target));
        }
    }
}
