package dev.troupe.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * The stand-in for NVIDIA's driver that the build makes where there is a C++ compiler ({@code src/test/cuda}), as tests see it beside
 * JCuda: its settings and counters.
 */
public final class StandIn {
    /** How often a kernel is run, under another order of its threads each time. */
    public static final int SCHEDULES = 5;

    private static final Optional<SymbolLookup> SYMBOLS = open();

    private StandIn() {}

    @SuppressWarnings("restricted")
    private static Optional<SymbolLookup> open() {
        try {
            SymbolLookup symbols = SymbolLookup.libraryLookup("libcuda.so.1", Arena.global());
            return symbols.find("standin_count").map(found -> symbols);
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** Skips the test where libcuda.so.1 is none or a real one; else makes the stand-in as it was at the start. */
    public static void require() {
        assumeTrue(SYMBOLS.isPresent(), "no stand-in driver: it takes a C++ compiler at build time");
        set("devices", 1);
        set("memory", 1 << 30);
        set("schedule", 0);
        set("init", 0);
        set("version", 12000);
        set("capability", 90);
        set("cubins", 1);
        set("broken", 0);
        set("fail_after", 0);
        set("peers", 1);
        set("pitch", Integer.MAX_VALUE);
        heal();
    }

    /** Says a setting, see {@code standin.h}. */
    public static void set(String name, long value) {
        call("standin_set", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG), name, value);
    }

    /** How many of a thing live, or have been since the start. */
    public static long count(String name) {
        return (long) call("standin_count", FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS), name);
    }

    /** How often fast products of bf16 weights were launched for up to 64 tokens. */
    public static long fastProducts() {
        return count("launches:matmul_fast_90a_few_bf16") + count("launches:matmul_fast_90a_skinny_bf16");
    }

    /** Makes devices usable again on which a kernel has failed. */
    public static void heal() {
        call("standin_heal", FunctionDescriptor.ofVoid());
    }

    /** Fails if a test has left something on a device; heals it first, if a kernel was to fail. */
    public static void requireNothingLeft() {
        if (SYMBOLS.isPresent()) {
            heal();
            for (String thing :
                    new String[] {"allocations", "bytes", "streams", "graphs", "events", "modules", "pinned", "contexts"
                    }) {
                assertThat(count(thing)).as(thing).isZero();
            }
        }
    }

    /** The same, after devices that others still give back; they get four minutes. */
    public static void awaitNothingLeft() throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(4);
        while (SYMBOLS.isPresent() && count("contexts") > 0 && System.nanoTime() < end) {
            TimeUnit.MILLISECONDS.sleep(50);
        }
        requireNothingLeft();
    }

    @SuppressWarnings("restricted")
    private static Object call(String function, FunctionDescriptor type, Object... arguments) {
        try (Arena arena = Arena.ofConfined()) {
            Object[] natives = arguments.clone();
            for (int i = 0; i < natives.length; i++) {
                natives[i] = natives[i] instanceof String text ? arena.allocateFrom(text) : natives[i];
            }
            Object result = Linker.nativeLinker()
                    .downcallHandle(SYMBOLS.orElseThrow().find(function).orElseThrow(), type)
                    .invokeWithArguments(natives);
            return result == null ? MemoryLayout.paddingLayout(1) : result;
        } catch (Throwable e) {
            throw new AssertionError(function, e);
        }
    }
}
