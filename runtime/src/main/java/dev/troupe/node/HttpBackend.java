package dev.troupe.node;

import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.http.HttpServer;
import dev.troupe.http.ServedModel;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.SchedulerStats;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.AskPattern;

/** What a node's HTTP port answers with. */
final class HttpBackend {
    private static final Duration WITHIN = Duration.ofSeconds(2);

    private HttpBackend() {}

    /** @param scheduler finds the scheduler, if there is one */
    static HttpServer.Backend of(
            Troupe troupe,
            ModelStore store,
            NodeConfig config,
            Supplier<Optional<RecipientRef<Scheduler.Command>>> scheduler)
            throws IOException {
        String id = config.replica().model();
        ServedModel model = new ServedModel(
                id,
                store.tokenizer(id),
                null,
                store.config(id).maxPositions(),
                store.config(id).vocabularySize(),
                Instant.now().getEpochSecond());
        return new HttpServer.Backend(
                troupe,
                model,
                () -> scheduler
                        .get()
                        .map(found -> AskPattern.<Scheduler.Command, SchedulerStats>ask(
                                found,
                                Scheduler.GetStats::new,
                                WITHIN,
                                troupe.system().scheduler()))
                        .orElseGet(() -> CompletableFuture.failedFuture(
                                new IllegalStateException("there is no scheduler that can be reached"))));
    }
}
