package dev.troupe.http;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.IntConsumer;
import org.apache.pekko.NotUsed;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.util.ByteString;

/**
 * The events of a stream that its client may come back to, rendered. They are kept until the recording is dropped; any number of
 * clients read them, from any place. Thread-safe.
 */
final class Recording {
    private final String tenant;
    private final List<ByteString> events = new ArrayList<>();
    private CompletableFuture<Boolean> more = new CompletableFuture<>();
    private final IntConsumer grown;
    private boolean ended;

    /** @param grown hears the bytes of every event */
    Recording(String tenant, IntConsumer grown) {
        this.tenant = tenant;
        this.grown = grown;
    }

    /** Whose it is. */
    String tenant() {
        return tenant;
    }

    void add(ByteString event) {
        CompletableFuture<Boolean> waiting;
        synchronized (this) {
            events.add(event);
            waiting = more;
            more = new CompletableFuture<>();
        }
        grown.accept(event.size());
        waiting.complete(true);
    }

    /** There are no more. */
    void end() {
        CompletableFuture<Boolean> waiting;
        synchronized (this) {
            ended = true;
            waiting = more;
        }
        waiting.complete(false);
    }

    synchronized boolean hasEnded() {
        return ended;
    }

    /** The events from number {@code first} on, those to come included. */
    Source<ByteString, NotUsed> from(int first) {
        return Source.unfoldAsync(first, this::next);
    }

    private CompletionStage<Optional<Pair<Integer, ByteString>>> next(int number) {
        CompletableFuture<Boolean> waiting;
        synchronized (this) {
            if (number < events.size()) {
                return CompletableFuture.completedFuture(Optional.of(Pair.create(number + 1, events.get(number))));
            }
            if (ended) {
                return CompletableFuture.completedFuture(Optional.empty());
            }
            waiting = more;
        }
        return waiting.thenCompose(_ -> next(number));
    }
}
