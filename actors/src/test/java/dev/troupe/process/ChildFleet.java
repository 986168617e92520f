package dev.troupe.process;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/**
 * The children of one test. Closing it kills all that live and waits for them; when this JVM ends without closing it, they
 * end because their input does.
 */
public final class ChildFleet implements AutoCloseable {
    private static final Duration START_LIMIT = Duration.ofMinutes(2);
    private static final AtomicInteger NUMBER = new AtomicInteger();
    private static final Path LOGS = Path.of("target", "process-logs");

    private final String test;
    private final List<ChildJvm> children = new ArrayList<>();
    private final Thread hook = Thread.ofPlatform().unstarted(() -> children.forEach(ChildJvm::destroy));

    /**
     * @param test names the logs
     */
    public ChildFleet(String test) {
        this.test = test;
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /**
     * Starts a child and waits until it says that it is there.
     *
     * @param main runs {@link ChildLoop}
     */
    public ChildJvm start(String name, Class<?> main, String... arguments) {
        long begin = System.nanoTime();
        try {
            ChildJvm child = ChildJvm.start(
                    name,
                    LOGS.resolve("%s-%d-%s.log".formatted(test, NUMBER.incrementAndGet(), name)),
                    main.getName(),
                    List.of(arguments));
            children.add(child);
            child.ready(START_LIMIT);
            Calibration.started(Duration.ofNanos(System.nanoTime() - begin));
            return child;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot start " + name, e);
        }
    }

    /** A port of {@code host} that nobody listens on now. */
    public static int freePort(String host) {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName(host))) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new UncheckedIOException("no free port on " + host, e);
        }
    }

    /** Whether somebody listens there. */
    public static boolean listens(String host, int port) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(host, port), 1000);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Waits for {@code condition}.
     *
     * @param within scaled by {@link Calibration}
     * @throws IllegalStateException if it does not come true in time
     */
    public static void await(String what, Duration within, BooleanSupplier condition) {
        Duration limit = Calibration.scale(within);
        long deadline = System.nanoTime() + limit.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("not within %s: %s".formatted(limit, what));
            }
            pause();
        }
    }

    private static void pause() {
        try {
            Thread.sleep(50);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }

    @Override
    public void close() {
        children.forEach(ChildJvm::destroy);
        for (ChildJvm child : children) {
            child.awaitEnd();
        }
        Runtime.getRuntime().removeShutdownHook(hook);
    }
}
