package dev.troupe.kernel.natives;

import dev.troupe.kernel.vector.lanes.VectorWidth;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The library of native kernels that lies in this build, opened for as long as the JVM lives.
 *
 * @param symbols its functions; empty where it cannot be used
 * @param refusal why it cannot be used, as the end of a sentence; null where it can
 */
record NativeLibrary(
        Optional<SymbolLookup> symbols, @Nullable String refusal) {
    private static final int WIDEST = 512;

    /** The one of this build. */
    static final NativeLibrary FOUND = open();

    /** Finds, loads and lets it choose what runs on this processor. */
    private static NativeLibrary open() {
        String processor = switch (System.getProperty("os.arch", "")) {
            case "amd64" -> "x86_64";
            case "aarch64" -> "aarch64";
            default -> "";
        };
        if (!System.getProperty("os.name", "").equals("Linux") || processor.isEmpty()) {
            return refused("they are for Linux on x86-64 and aarch64 only");
        }
        URL resource = NativeLibrary.class.getResource("/native/linux-%s/libtroupe_kernels.so".formatted(processor));
        if (resource == null) {
            return refused("this build has none: there was no C compiler, or troupe.native was off");
        }
        try {
            return chosen(load(resource));
        } catch (IOException | URISyntaxException | IllegalArgumentException e) {
            return refused("%s cannot be loaded: %s".formatted(resource, e.getMessage()));
        }
    }

    private static NativeLibrary refused(String why) {
        return new NativeLibrary(Optional.empty(), why);
    }

    /** From its folder, or from a copy of what lies in a jar; a loaded library needs its file no more. */
    @SuppressWarnings("restricted") // our own library; java.options permits native access
    private static SymbolLookup load(URL resource) throws IOException, URISyntaxException {
        if (resource.getProtocol().equals("file")) {
            return SymbolLookup.libraryLookup(Path.of(resource.toURI()), Arena.global());
        }
        Path copy = Files.createTempFile("troupe-kernels-", ".so");
        try (InputStream in = resource.openStream()) {
            Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
            return SymbolLookup.libraryLookup(copy, Arena.global());
        } finally {
            Files.deleteIfExists(copy);
        }
    }

    /** With the widest vectors that run here, none wider than those that a user forces. */
    private static NativeLibrary chosen(SymbolLookup symbols) {
        int forced = VectorWidth.forced();
        MethodHandle choose =
                link(symbols, "troupe_choose", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        try {
            if ((int) choose.invokeExact(forced == 0 ? WIDEST : forced) != 0) {
                return new NativeLibrary(Optional.of(symbols), null);
            }
        } catch (Throwable e) {
            throw new IllegalStateException("a native function has thrown", e);
        }
        return refused(
                forced == 0
                        ? "this processor has neither AVX2 with FMA and F16C nor Arm's dot products"
                        : "none runs here with the %d bits of %s".formatted(forced, VectorWidth.PROPERTY));
    }

    /** A function, or where the library cannot be used one that says so when it is called. */
    MethodHandle function(String name, FunctionDescriptor type) {
        return symbols.map(found -> link(found, name, type)).orElseGet(() -> refusing(type));
    }

    /**
     * Not {@code critical}: calls take microseconds to a millisecond, and a garbage collector need not wait for them.
     *
     * @throws IllegalArgumentException if the library has no such function
     */
    @SuppressWarnings("restricted") // signatures are those of troupe_kernels.c
    private static MethodHandle link(SymbolLookup symbols, String name, FunctionDescriptor type) {
        return Linker.nativeLinker()
                .downcallHandle(
                        symbols.find(name)
                                .orElseThrow(() -> new IllegalArgumentException("it has no function " + name)),
                        type);
    }

    /** What a call has thrown, to be thrown on. */
    static RuntimeException failed(Throwable e) {
        return e instanceof RuntimeException known
                ? known
                : new IllegalStateException("a native function has thrown", e);
    }

    private MethodHandle refusing(FunctionDescriptor type) {
        MethodHandle thrower = MethodHandles.throwException(
                        type.toMethodType().returnType(), IllegalStateException.class)
                .bindTo(new IllegalStateException("native kernels do not run here, because " + refusal));
        return MethodHandles.dropArguments(thrower, 0, type.toMethodType().parameterList());
    }
}
