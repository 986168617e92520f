package dev.troupe.http;

import java.util.concurrent.CompletableFuture;
import org.apache.pekko.Done;

/** Whether the client of a connection is still there, told to the request that is being answered and to no earlier one. Thread-safe. */
final class Presence {
    private CompletableFuture<Done> current = new CompletableFuture<>();
    private boolean ended;

    /** For the next request: ends when the client hangs up. */
    synchronized CompletableFuture<Done> next() {
        current = ended ? CompletableFuture.completedFuture(Done.getInstance()) : new CompletableFuture<>();
        return current;
    }

    /** The client has hung up. */
    void end() {
        CompletableFuture<Done> told;
        synchronized (this) {
            ended = true;
            told = current;
        }
        told.complete(Done.getInstance());
    }
}
