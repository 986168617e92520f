package dev.troupe.http;

import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.generation.LogKeeper;
import dev.troupe.generation.Ticket;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

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
    private final Preparation preparation;

    /** Those that are being taken over, by tenant and id. */
    private final OneAtATime<List<String>, Recording> coming = new OneAtATime<>();

    /**
     * @param deadline for a generation that has to begin anew
     * @param preparation reads again what has been asked for elsewhere
     */
    Comebacks(
            HttpServer.Backend backend,
            Duration deadline,
            Generations generations,
            Running running,
            Preparation preparation) {
        this.troupe = backend.troupe();
        this.model = backend.model();
        this.deadline = deadline;
        this.generations = generations;
        this.running = running;
        this.preparation = preparation;
    }

    /**
     * The recording of a tenant's stream, which goes on here from now on and nowhere else; nothing if nobody knows the id. Fails with
     * 410 if it was here and cannot be made again.
     */
    CompletionStage<Optional<Recording>> recording(String tenant, String id) {
        Recordings recordings = running.recordings();
        return coming.get(List.of(tenant, id), () -> recordings.find(tenant, id), () -> takeOver(tenant, id))
                .thenApply(found -> {
                    if (found.isEmpty()) {
                        recordings.requireNotDropped(tenant, id);
                    }
                    return found;
                });
    }

    private CompletionStage<Optional<Recording>> takeOver(String tenant, String id) {
        return troupe.find(id, tenant, WITHIN).thenCompose(found -> {
            LogKeeper.Held held = found.orElse(null);
            Ticket ticket = held == null ? null : held.request().ticket();
            return held == null || ticket == null
                    ? CompletableFuture.completedFuture(Optional.empty())
                    : preparation
                            .room(tenant, ticket.form().length())
                            .read(() -> CompletableFuture.completedFuture(Optional.of(goOn(held, ticket))));
        });
    }

    private Recording goOn(LogKeeper.Held held, Ticket ticket) {
        Answer answer = StreamForm.answer(ticket, held.request().prompt(), model, deadline);
        TextRequest request = answer.call().of(ticket.tenant(), 0).withTicket(ticket);
        return generations.goOn(ticket.tenant(), answer, troupe.resume(held.id().toString(), request, running::isOver));
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
