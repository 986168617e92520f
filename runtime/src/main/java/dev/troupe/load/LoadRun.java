package dev.troupe.load;

import dev.troupe.openai.Answer;
import dev.troupe.openai.ApiClient;
import dev.troupe.openai.ApiException;
import java.time.Duration;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/** Sends the requests of a plan, each on a thread of its own, and measures what becomes of them. Runs once. */
public final class LoadRun {
    /** How long a sender of a closed loop waits after a failure: a server that refuses is not stormed. */
    private static final Duration AFTER_FAILURE = Duration.ofMillis(100);

    private static final long PROGRESS_MILLIS = 250;

    private final ApiClient client;
    private final LoadPlan plan;
    private final Measurements measurements;
    private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("troupe-load-clock").factory());

    /** How far a run is: requests and completion tokens. */
    public record Progress(long completed, long failed, long tokens) {}

    public LoadRun(ApiClient client, LoadPlan plan) {
        this.client = client;
        this.plan = plan;
        this.measurements = new Measurements(plan);
    }

    /**
     * Sends all of them and waits for the last answer.
     *
     * @param watcher hears now and then how far it is
     */
    public LoadReport run(Consumer<Progress> watcher) throws InterruptedException {
        try {
            Measurements before = new Measurements(plan);
            int together = plan.pace() instanceof Pace.Closed closed ? closed.concurrency() : 1;
            closed(before, Math.min(together, plan.warmUp()), -plan.warmUp(), 0, Long.MAX_VALUE);
            Future<?> _ = clock.scheduleAtFixedRate(
                    () -> watcher.accept(measurements.progress()),
                    PROGRESS_MILLIS,
                    PROGRESS_MILLIS,
                    TimeUnit.MILLISECONDS);
            Optional<PipelineUse> unused = pipeline();
            long start = System.nanoTime();
            long most = plan.duration().map(Duration::toNanos).orElse(Long.MAX_VALUE);
            switch (plan.pace()) {
                case Pace.Closed closed -> closed(measurements, closed.concurrency(), 0, plan.requests(), most);
                case Pace.Open open -> open(new Arrivals(open.rate(), plan.seed()), start, most);
            }
            double seconds = (System.nanoTime() - start) / 1e9;
            Optional<PipelineUse> used = pipeline().flatMap(all -> unused.flatMap(all::since));
            return measurements.report(seconds, before.progress().failed(), used.orElse(null));
        } finally {
            clock.shutdownNow();
        }
    }

    private Optional<PipelineUse> pipeline() throws InterruptedException {
        return PipelineUse.ask(client, plan.tenants().getFirst().key());
    }

    /** Every sender belongs to one tenant, so that a tenant that is served faster sends more. */
    private void closed(Measurements into, int senders, long first, long end, long mostNanos)
            throws InterruptedException {
        AtomicLong next = new AtomicLong(first);
        long start = System.nanoTime();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int sender = 0; sender < senders; sender++) {
                int tenant = sender % plan.tenants().size();
                threads.execute(() -> {
                    while (System.nanoTime() - start < mostNanos
                            && !Thread.currentThread().isInterrupted()) {
                        long request = next.getAndIncrement();
                        if (request >= end) {
                            break;
                        }
                        oneAfterTheOther(into, request, tenant);
                    }
                    into.offersNoMore();
                });
            }
            awaitAll(threads);
        }
    }

    private void oneAfterTheOther(Measurements into, long request, int tenant) {
        CompletableFuture<Boolean> completed = new CompletableFuture<>();
        Thread thread =
                Thread.startVirtualThread(() -> completed.complete(send(into, request, tenant, System.nanoTime())));
        try {
            thread.join();
            if (!completed.getNow(false)) {
                Thread.sleep(AFTER_FAILURE);
            }
        } catch (InterruptedException e) {
            thread.interrupt();
            Thread.currentThread().interrupt();
        }
    }

    private void open(Arrivals arrivals, long start, long mostNanos) throws InterruptedException {
        SplittableRandom tenants = new SplittableRandom(~plan.seed());
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (long request = 0; request < plan.requests(); request++) {
                long due = arrivals.next();
                if (due >= mostNanos) {
                    TimeUnit.NANOSECONDS.sleep(start + mostNanos - System.nanoTime());
                    break;
                }
                TimeUnit.NANOSECONDS.sleep(start + due - System.nanoTime());
                long number = request;
                int tenant = tenants.nextInt(plan.tenants().size());
                threads.execute(() -> send(measurements, number, tenant, start + due));
            }
            measurements.offersNoMore();
            awaitAll(threads);
        }
    }

    /** An interrupt ends the requests too. */
    private static void awaitAll(ExecutorService threads) throws InterruptedException {
        threads.shutdown();
        try {
            while (!threads.awaitTermination(1, TimeUnit.HOURS)) {
                // they have a time limit each
            }
        } catch (InterruptedException e) {
            threads.shutdownNow();
            throw e;
        }
    }

    /**
     * Sends a request and waits for its answer. The thread is of no use afterwards: an interrupt may come late.
     *
     * @param due when it ought to be sent, by {@link System#nanoTime}
     * @return whether it completed
     */
    private boolean send(Measurements into, long request, int tenant, long due) {
        Timer timer = new Timer(into, tenant, due);
        Future<?> limit =
                clock.schedule(Thread.currentThread()::interrupt, plan.timeout().toMillis(), TimeUnit.MILLISECONDS);
        try {
            into.sent(System.nanoTime() - due);
            timer.completed(client.ask(
                    plan.ask().route(), plan.tenants().get(tenant).key(), plan.body(request), _ -> timer.token()));
            return true;
        } catch (ApiException e) {
            into.failed(tenant, e);
            return false;
        } catch (InterruptedException e) {
            into.failed(tenant, ApiException.timeout(plan.timeout()));
            return false;
        } finally {
            limit.cancel(false);
        }
    }

    /** The times of one request. */
    private static final class Timer {
        private final Measurements into;
        private final int tenant;
        private final long due;
        private long first;
        private long last;
        private long tokens;

        Timer(Measurements into, int tenant, long due) {
            this.into = into;
            this.tenant = tenant;
            this.due = due;
        }

        void token() {
            long now = System.nanoTime();
            into.token(tenant, tokens == 0 ? Measurements.FIRST : now - last);
            first = tokens++ == 0 ? now : first;
            last = now;
        }

        void completed(Answer answer) {
            long now = System.nanoTime();
            into.completed(tenant, (tokens == 0 ? now : first) - due, now - due, tokens, answer);
        }
    }
}
