package dev.troupe.http;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * Makes what is not here yet, once however many ask for it at a time. Thread-safe.
 *
 * @param <K> its name
 * @param <V> what is made
 */
final class OneAtATime<K, V> {
    private final Map<K, CompletableFuture<Optional<V>>> coming = new ConcurrentHashMap<>();

    /**
     * What has that name.
     *
     * @param here looks for it; once {@code make} has answered with it, it is found
     * @param make makes it; nothing if it cannot be made
     */
    CompletionStage<Optional<V>> get(K name, Supplier<Optional<V>> here, Supplier<CompletionStage<Optional<V>>> make) {
        Optional<V> found = here.get();
        if (found.isPresent()) {
            return CompletableFuture.completedFuture(found);
        }
        CompletableFuture<Optional<V>> mine = new CompletableFuture<>();
        CompletableFuture<Optional<V>> first = coming.putIfAbsent(name, mine);
        if (first != null) {
            return first;
        }
        made(here, make).whenComplete((made, failure) -> {
            coming.remove(name);
            if (failure == null) {
                mine.complete(made);
            } else {
                mine.completeExceptionally(failure);
            }
        });
        return mine;
    }

    /** Somebody else may have made it, and be done, since it was looked for. */
    private CompletionStage<Optional<V>> made(Supplier<Optional<V>> here, Supplier<CompletionStage<Optional<V>>> make) {
        try {
            Optional<V> found = here.get();
            return found.isPresent() ? CompletableFuture.completedFuture(found) : make.get();
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }
}
