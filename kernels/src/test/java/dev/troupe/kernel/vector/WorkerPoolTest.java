package dev.troupe.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class WorkerPoolTest {

    @Test
    void runsEveryItemOnceAgainAndAgain() {
        try (WorkerPool pool = new WorkerPool(3)) {
            for (int round = 0; round < 20_000; round++) {
                int items = round % 9;
                AtomicIntegerArray runs = new AtomicIntegerArray(9);
                pool.run(items, (item, worker) -> runs.incrementAndGet(item));
                for (int item = 0; item < 9; item++) {
                    assertThat(runs.get(item)).isEqualTo(item < items ? 1 : 0);
                }
            }
        }
    }

    @Test
    void givesAWorkerOneItemAtATime() {
        try (WorkerPool pool = new WorkerPool(4)) {
            AtomicIntegerArray busy = new AtomicIntegerArray(4);
            AtomicInteger clashes = new AtomicInteger();
            pool.run(5_000, (item, worker) -> {
                if (busy.getAndSet(worker, 1) != 0) {
                    clashes.incrementAndGet();
                }
                busy.set(worker, 0);
            });
            assertThat(clashes).hasValue(0);
        }
    }

    @Test
    void sharesItemsWithItsHelpers() {
        try (WorkerPool pool = new WorkerPool(2)) {
            CountDownLatch both = new CountDownLatch(2);
            Set<Thread> threads = ConcurrentHashMap.newKeySet();

            // each item waits for the other, so one thread alone could not end them
            pool.run(2, (item, worker) -> {
                threads.add(Thread.currentThread());
                both.countDown();
                awaitLatch(both);
            });

            assertThat(threads).hasSize(2).contains(Thread.currentThread());
        }
    }

    @Test
    void wakesHelpersThatHaveParked() {
        try (WorkerPool pool = new WorkerPool(2)) {
            for (int round = 0; round < 3; round++) {
                awaitParked();
                CountDownLatch both = new CountDownLatch(2);
                pool.run(2, (item, worker) -> {
                    both.countDown();
                    awaitLatch(both);
                });
                assertThat(both.getCount()).isZero();
            }
        }
    }

    private static void awaitParked() {
        while (helpers().anyMatch(thread -> thread.getState() != Thread.State.WAITING)) {
            Thread.onSpinWait();
        }
    }

    private static Stream<Thread> helpers() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("troupe-kernels-"));
    }

    private static void awaitLatch(CountDownLatch latch) {
        try {
            if (!latch.await(60, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the other item did not begin");
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void throwsToTheCallerWhatAnItemThrew() {
        try (WorkerPool pool = new WorkerPool(3)) {
            for (int bad = 0; bad < 5; bad++) {
                int failing = bad;
                assertThatThrownBy(() -> pool.run(5, (item, worker) -> {
                            if (item == failing) {
                                throw new IllegalStateException("item " + item);
                            }
                        }))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessage("item " + failing);
            }
            assertThatThrownBy(() -> pool.run(5, (item, worker) -> {
                        throw new AssertionError("an error too");
                    }))
                    .isInstanceOf(AssertionError.class);

            AtomicInteger runs = new AtomicInteger();
            pool.run(5, (item, worker) -> runs.incrementAndGet());
            assertThat(runs).hasValue(5);
        }
    }

    @Test
    void endsItsThreadsWhenClosed() {
        WorkerPool pool = new WorkerPool(3);
        pool.run(3, (item, worker) -> {});
        assertThat(helpers()).isNotEmpty().allMatch(Thread::isDaemon);

        pool.close();
        pool.close();

        assertThat(helpers()).isEmpty();
        assertThatThrownBy(() -> pool.run(1, (item, worker) -> {})).hasMessage("the worker pool is closed");
    }

    @Test
    void keepsItsThreadsOnTheirCores() throws Exception {
        assumeThat(System.getProperty("os.name")).as("Linux").isEqualTo("Linux");
        int core = allowedCores().getLast();
        Map<Integer, List<Integer>> seen = new ConcurrentHashMap<>();
        CountDownLatch both = new CountDownLatch(2);
        Thread caller = Thread.ofPlatform().start(() -> {
            try (WorkerPool pool = new WorkerPool(2, List.of(core, core))) {
                pool.run(2, (item, worker) -> {
                    both.countDown();
                    awaitQuietly(both);
                    seen.put(worker, allowedCores());
                });
            }
        });
        caller.join();

        assertThat(seen).isEqualTo(Map.of(0, List.of(core), 1, List.of(core)));
        assertThat(allowedCores().getLast()).as("this thread stays free").isEqualTo(core);
    }

    @Test
    void refusesToHaveNoThreadOrCoresForSomeOnly() {
        assertThatThrownBy(() -> new WorkerPool(0))
                .hasMessage("threads=0, cores=[], expected at least 1, and as many cores or none");
        assertThatThrownBy(() -> new WorkerPool(2, List.of(0)))
                .hasMessage("threads=2, cores=[0], expected at least 1, and as many cores or none");
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Cores that the calling thread may use. */
    private static List<Integer> allowedCores() {
        String list = lines(Path.of("/proc/thread-self/status")).stream()
                .filter(line -> line.startsWith("Cpus_allowed_list:"))
                .findFirst()
                .orElseThrow()
                .replaceAll(".*:\\s*", "");
        return Stream.of(list.split(",", -1))
                .flatMap(range -> {
                    String[] ends = range.split("-", -1);
                    return IntStream.rangeClosed(Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1]))
                            .boxed();
                })
                .toList();
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
