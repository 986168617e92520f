package dev.troupe.http;

import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.generation.LogKeeper;
import dev.troupe.generation.Ticket;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Clients that come back to a generation by its id: to one that this front end has, or to one of another, which this one then takes
 * over. Thread-safe.
 */
final class Comebacks {
    private static final Duration WITHIN = Duration.ofSeconds(5);

    private final Troupe troupe;
    private final ServedModel model;
    private final Duration deadline;
    private final Generations generations;
    private final Running running;

    /** Those that are being taken over, by tenant and id. */
    private final Map<List<String>, CompletableFuture<Optional<Recording>>> coming = new ConcurrentHashMap<>();

    /** @param deadline for a generation that has to begin anew */
    Comebacks(Troupe troupe, ServedModel model, Duration deadline, Generations generations, Running running) {
        this.troupe = troupe;
        this.model = model;
        this.deadline = deadline;
        this.generations = generations;
        this.running = running;
    }

    /** A generation of another front end: its id, and what makes its answer. */
    private record Elsewhere(String id, Ticket ticket, Answer answer) {
        TextRequest request() {
            return answer.call().of(ticket.tenant(), 0).withTicket(ticket);
        }
    }

    private CompletionStage<Optional<Elsewhere>> find(String tenant, String id) {
        return troupe.find(id, tenant, WITHIN).thenApply(held -> held.flatMap(this::elsewhere));
    }

    private Optional<Elsewhere> elsewhere(LogKeeper.Held held) {
        return Optional.ofNullable(held.request().ticket())
                .map(ticket -> new Elsewhere(
                        held.id().toString(),
                        ticket,
                        StreamForm.answer(ticket, held.request().prompt(), model, deadline)));
    }

    /** The recording of a tenant's stream, which goes on here from now on and nowhere else; nothing if nobody knows the id. */
    CompletionStage<Optional<Recording>> recording(String tenant, String id) {
        Optional<Recording> here = running.recordings().find(tenant, id);
        if (here.isPresent()) {
            return CompletableFuture.completedFuture(here);
        }
        List<String> name = List.of(tenant, id);
        CompletableFuture<Optional<Recording>> mine = new CompletableFuture<>();
        CompletableFuture<Optional<Recording>> first = coming.putIfAbsent(name, mine);
        if (first != null) {
            return first;
        }
        find(tenant, id)
                .thenApply(found -> found.map(elsewhere -> generations.goOn(
                        tenant, elsewhere.answer(), troupe.resume(elsewhere.id(), elsewhere.request(), running::isOver))))
                .whenComplete((recording, failure) -> {
                    coming.remove(name);
                    if (failure == null) {
                        mine.complete(recording);
                    } else {
                        mine.completeExceptionally(failure);
                    }
                });
        return mine;
    }

    /** Ends a tenant's generation, wherever it runs; false if nobody knows the id, or it has ended. */
    CompletionStage<Boolean> cancel(String tenant, String id) {
        if (running.cancel(tenant, id)) {
            return CompletableFuture.completedFuture(true);
        }
        return troupe.find(id, tenant, WITHIN)
                .thenCompose(found -> found.filter(held -> !held.finished())
                        .map(held -> troupe.cancel(held, WITHIN))
                        .orElseGet(() -> CompletableFuture.completedFuture(false)));
    }
}
