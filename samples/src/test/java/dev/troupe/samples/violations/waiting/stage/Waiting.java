package dev.troupe.samples.violations.waiting.stage;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

final class Waiting {
    private final CompletableFuture<String> answer = new CompletableFuture<>();

    String joins() {
        return answer.join();
    }

    Function<CompletableFuture<String>, String> joinsByReference() {
        return CompletableFuture::join;
    }

    String gets() throws Exception {
        Future<String> future = answer;
        return future.get();
    }

    String getsInTime() throws Exception {
        return answer.get(1, TimeUnit.SECONDS);
    }

    void sleeps() throws Exception {
        Thread.sleep(1);
    }
}
