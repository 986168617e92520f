package dev.troupe.http;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.pekko.Done;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.util.ByteString;

/** Counts answers from their request to the end of their body: who closes connections has to wait for them. Thread-safe. */
final class OpenAnswers {
    private final CompletableFuture<Done> none = new CompletableFuture<>();
    private int open;
    private boolean ending;

    /** A request has come; its answer ends once the returned is run, or the client has hung up. */
    Runnable begin(CompletionStage<Done> gone) {
        synchronized (this) {
            open++;
        }
        AtomicBoolean ended = new AtomicBoolean();
        Runnable end = () -> {
            if (ended.compareAndSet(false, true)) {
                end();
            }
        };
        gone.thenRun(end);
        return end;
    }

    /** The same answer, which says when its body has been sent. */
    static HttpResponse watched(HttpResponse response, Runnable end) {
        if (response.entity().isStrict()) {
            end.run();
            return response;
        }
        return response.transformEntityDataBytes(Flow.<ByteString>create().watchTermination((used, done) -> {
            done.whenComplete((all, failure) -> end.run());
            return used;
        }));
    }

    private void end() {
        boolean last;
        synchronized (this) {
            open--;
            last = ending && open == 0;
        }
        if (last) {
            none.complete(Done.getInstance());
        }
    }

    /** Done when there are none. */
    CompletableFuture<Done> none() {
        boolean already;
        synchronized (this) {
            ending = true;
            already = open == 0;
        }
        if (already) {
            none.complete(Done.getInstance());
        }
        return none;
    }
}
