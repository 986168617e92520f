package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.troupe.serving.Precedence;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class FairQueueTest {
    private static FairQueue.Place now(CompletableFuture<FairQueue.Place> entered) {
        assertThat(entered).isDone();
        return entered.join();
    }

    @Test
    void letsInAtOnceWhileThereIsRoom() {
        FairQueue queue = new FairQueue(3, 0, 0, Map.of());

        FairQueue.Place two = now(queue.enter("a", 0, 2, 10));
        now(queue.enter("b", 0, 1, 10));

        assertThat(queue.running()).isEqualTo(3);
        assertThatThrownBy(() -> queue.enter("a", 0, 1, 10)).hasMessageContaining("generations of yours wait");
        two.close();
        two.close();
        assertThat(queue.running()).isEqualTo(1);
    }

    @Test
    void refusesWhatCouldNeverRun() {
        FairQueue queue = new FairQueue(3, 100, 100, Map.of());

        assertThatThrownBy(() -> queue.enter("a", 0, 4, 10)).hasMessageContaining("expected at most 3");
    }

    @Test
    void refusesByTenantAndByAllTogether() {
        FairQueue queue = new FairQueue(2, 3, 2, Map.of());
        now(queue.enter("a", 0, 2, 10));
        CompletableFuture<FairQueue.Place> waiting = queue.enter("a", 0, 2, 10);
        CompletableFuture<FairQueue.Place> other = queue.enter("b", 0, 1, 10);

        assertThatThrownBy(() -> queue.enter("a", 0, 1, 10))
                .isInstanceOfSatisfying(
                        ApiError.class, error -> assertThat(error.status()).isEqualTo(429));
        assertThatThrownBy(() -> queue.enter("c", 0, 1, 10))
                .isInstanceOfSatisfying(
                        ApiError.class, error -> assertThat(error.status()).isEqualTo(503));
        assertThat(List.of(waiting, other)).noneMatch(CompletableFuture::isDone);
    }

    @Test
    void whatIsGivenUpLetsTheNextIn() {
        FairQueue queue = new FairQueue(1, 10, 10, Map.of());
        FairQueue.Place first = now(queue.enter("a", 0, 1, 10));
        CompletableFuture<FairQueue.Place> givenUp = queue.enter("a", 0, 1, 10);
        CompletableFuture<FairQueue.Place> next = queue.enter("a", 0, 1, 10);

        givenUp.cancel(false);
        assertThat(queue.waiting()).isEqualTo(1);
        first.close();

        now(next).close();
        assertThat(queue.running()).isZero();
        assertThat(queue.waiting()).isZero();
    }

    /** Three tenants that always have requests waiting, of random sizes: tokens are shared by weight. */
    @Test
    void busyTenantsShareTokensByWeight() {
        Map<String, Integer> weights = Map.of("a", 8, "b", 1, "c", 1);
        FairQueue queue = new FairQueue(4, 1000, 1000, weights);
        Random random = new Random(7);
        Map<String, Long> served = new HashMap<>();
        ArrayDeque<FairQueue.Place> running = new ArrayDeque<>();
        for (int i = 0; i < 20; i++) {
            weights.keySet().forEach(tenant -> request(queue, tenant, random, served, running));
        }

        for (int i = 0; i < 5000; i++) {
            running.remove().close();
        }

        long all = served.values().stream().mapToLong(Long::longValue).sum();
        assertThat((double) tokens(served, "a") / all).isBetween(0.77, 0.83);
        assertThat((double) tokens(served, "b") / all).isBetween(0.08, 0.12);
        assertThat((double) tokens(served, "c") / all).isBetween(0.08, 0.12);
    }

    /** One of the tenants lets every request of its own pass the ones before it, and gets nothing by it. */
    @Test
    void aPriorityTakesNothingFromOtherTenants() {
        List<Integer> plain = turnsOfB(0);

        assertThat(turnsOfB(-100)).isEqualTo(plain).hasSizeGreaterThan(100);
    }

    /** The rounds in which tenant b was served, where tenant a asks with priorities from 0 down to {@code least}. */
    private static List<Integer> turnsOfB(int least) {
        FairQueue queue = new FairQueue(2, 1000, 1000, Map.of("a", 2));
        Random random = new Random(11);
        List<String> order = new ArrayList<>();
        ArrayDeque<FairQueue.Place> running = new ArrayDeque<>(List.of(now(queue.enter("c", 0, 2, 10))));
        for (int i = 0; i < 200; i++) {
            for (String tenant : List.of("a", "b")) {
                int priority = tenant.equals("a") ? random.nextInt(-100, 1) * least / -100 : 0;
                CompletableFuture<Void> _ = queue.enter(tenant, priority, 1, 10).thenAccept(place -> {
                    order.add(tenant);
                    running.add(place);
                });
            }
        }
        while (!running.isEmpty()) {
            running.remove().close();
        }
        assertThat(order).hasSize(400);
        return IntStream.range(0, 400)
                .filter(i -> order.get(i).equals("b"))
                .boxed()
                .toList();
    }

    @Test
    void aTenantsLowestPriorityIsServedFirstAndTheOthersHaveTheirTurn() {
        FairQueue queue = new FairQueue(1, 1000, 1000, Map.of());
        FairQueue.Place place = now(queue.enter("a", 0, 1, 10));
        CompletableFuture<FairQueue.Place> late = queue.enter("a", 3, 1, 10);
        CompletableFuture<FairQueue.Place> usual = queue.enter("a", 0, 1, 10);
        CompletableFuture<FairQueue.Place> urgent = queue.enter("a", -3, 1, 10);

        place.close();
        place = now(urgent);
        assertThat(usual).isNotDone();
        place.close();
        place = now(usual);
        assertThat(late).isNotDone();
        int overtakers = 0;
        while (!late.isDone()) {
            CompletableFuture<FairQueue.Place> next = queue.enter("a", 0, 1, 10);
            place.close();
            place = late.isDone() ? now(late) : now(next);
            overtakers++;
            assertThat(overtakers).isLessThanOrEqualTo(3 * Precedence.OVERTAKERS);
        }
        assertThat(overtakers).isGreaterThan(2 * Precedence.OVERTAKERS);
    }

    private static long tokens(Map<String, Long> served, String tenant) {
        return served.getOrDefault(tenant, 0L);
    }

    /** A request that asks again as soon as it has been let in. */
    private static void request(
            FairQueue queue,
            String tenant,
            Random random,
            Map<String, Long> served,
            ArrayDeque<FairQueue.Place> running) {
        long tokens = 1L + random.nextInt(100);
        CompletableFuture<Void> _ = queue.enter(tenant, 0, 1, tokens).thenAccept(place -> {
            served.merge(tenant, tokens, Long::sum);
            running.add(place);
            request(queue, tenant, random, served, running);
        });
    }

    @Test
    void aTenantThatWasIdleHasSavedNothingUp() {
        FairQueue queue = new FairQueue(1, 1000, 1000, Map.of());
        FairQueue.Place place = now(queue.enter("busy", 0, 1, 10));
        for (int i = 0; i < 100; i++) {
            CompletableFuture<FairQueue.Place> next = queue.enter("busy", 0, 1, 10);
            place.close();
            place = now(next);
        }
        List<String> order = new ArrayList<>();
        ArrayDeque<FairQueue.Place> running = new ArrayDeque<>(List.of(place));
        for (int i = 0; i < 10; i++) {
            for (String tenant : List.of("busy", "late")) {
                CompletableFuture<Void> _ = queue.enter(tenant, 0, 1, 10).thenAccept(entered -> {
                    order.add(tenant);
                    running.add(entered);
                });
            }
        }

        while (!running.isEmpty()) {
            running.remove().close();
        }

        assertThat(order).hasSize(20);
        assertThat(order.subList(0, 10)).filteredOn("late"::equals).hasSizeBetween(4, 6);
    }
}
