package dev.troupe.wire.lane;

import java.io.IOException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one I/O thread of a lane: a selector, tasks from other threads, and a clock tick. */
final class LaneLoop {
    private static final long TICK_MILLIS = 50;
    private static final Logger LOG = LoggerFactory.getLogger(LaneLoop.class);

    private final Selector selector;
    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final Thread thread;
    private final Runnable tick;
    private final Runnable atEnd;
    private volatile boolean ended;

    /**
     * @param tick runs every few dozen milliseconds
     * @param atEnd runs last
     */
    LaneLoop(String name, Runnable tick, Runnable atEnd) throws IOException {
        this.selector = Selector.open();
        this.tick = tick;
        this.atEnd = atEnd;
        this.thread = Thread.ofPlatform().daemon().name(name).unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    /** Runs {@code task} on the I/O thread, soon. */
    void execute(Runnable task) {
        tasks.add(task);
        selector.wakeup();
    }

    /** Makes the I/O thread look at changed interests. */
    void wakeUp() {
        if (Thread.currentThread() != thread) {
            selector.wakeup();
        }
    }

    /** On the I/O thread: {@code ready} is called whenever {@code channel} is. */
    SelectionKey register(SelectableChannel channel, int interests, Consumer<SelectionKey> ready) throws IOException {
        return channel.register(selector, interests, ready);
    }

    /** Ends the thread and waits until it has. */
    void end() {
        ended = true;
        selector.wakeup();
        if (Thread.currentThread() != thread && thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void run() {
        try {
            long nextTick = System.nanoTime();
            while (!ended) {
                selector.select(LaneLoop::dispatch, TICK_MILLIS);
                runTasks();
                if (System.nanoTime() - nextTick >= 0) {
                    safely(tick);
                    nextTick = System.nanoTime() + TICK_MILLIS * 1_000_000;
                }
            }
        } catch (IOException e) {
            LOG.error("the tensor lane's selector failed; this node can exchange no tensors any more", e);
        } finally {
            safely(atEnd);
            closeSelector();
        }
    }

    private void runTasks() {
        for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
            safely(task);
        }
    }

    private static void dispatch(SelectionKey key) {
        @SuppressWarnings("unchecked") // only register() attaches
        Consumer<SelectionKey> ready = (Consumer<SelectionKey>) key.attachment();
        safely(() -> ready.accept(key));
    }

    private static void safely(Runnable work) {
        try {
            work.run();
        } catch (RuntimeException e) {
            LOG.error("a fault of the tensor lane itself; other connections go on", e);
        }
    }

    private void closeSelector() {
        try {
            selector.close();
        } catch (IOException e) {
            LOG.debug("closing the selector", e);
        }
    }
}
