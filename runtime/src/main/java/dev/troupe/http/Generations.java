package dev.troupe.http;

import dev.troupe.client.RequestFailedException;
import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.generation.Ticket;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.apache.pekko.Done;
import org.apache.pekko.NotUsed;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.japi.pf.PFBuilder;
import org.apache.pekko.stream.KillSwitches;
import org.apache.pekko.stream.UniqueKillSwitch;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.util.ByteString;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs calls and answers with them, whole or as a stream of server-sent events. A client that hangs up ends its generations, unless
 * it wants to come back.
 */
final class Generations {
    private static final long MOST_ENTRIES = 1 << 19;
    private static final Duration LEAST_DEADLINE = Duration.ofMillis(1);
    private static final Logger LOG = LoggerFactory.getLogger(Generations.class);

    private final Troupe troupe;
    private final FairQueue queue;
    private final HttpMetrics metrics;
    private final Running running;

    Generations(Troupe troupe, FairQueue queue, HttpMetrics metrics, Running running) {
        this.troupe = troupe;
        this.queue = queue;
        this.metrics = metrics;
        this.running = running;
    }

    /** An event of the generation of one of the prompts. */
    private record Tagged(int prompt, TextEvent event) {}

    /** Somebody wants a generation to end. */
    static final class CancelledException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        CancelledException(String reason) {
            super(reason);
        }
    }

    /** Answers a call. */
    CompletionStage<HttpResponse> answer(Exchange exchange, Answer answer) {
        requireSmall(answer.call());
        if (!answer.call().resumable()) {
            return answer(exchange, answer, null);
        }
        Recording recording = running.recordings().open(exchange.tenant(), answer.id());
        try {
            return answer(exchange, answer, recording).whenComplete((response, failure) -> {
                if (failure != null) {
                    running.recordings().forget(answer.id(), recording);
                }
            });
        } catch (RuntimeException e) {
            running.recordings().forget(answer.id(), recording);
            throw e;
        }
    }

    private CompletionStage<HttpResponse> answer(Exchange exchange, Answer answer, @Nullable Recording recording) {
        GenerationCall call = answer.call();
        Watch watch = new Watch(metrics);
        IntFunction<TextRequest> requests = requests(exchange, answer);
        CompletableFuture<FairQueue.Place> entered = queue.enter(
                        exchange.tenant(),
                        call.request().precedence().priority(),
                        answer.together() * call.drawn(),
                        call.mostTokens())
                .orTimeout(call.request().deadline().toMillis(), TimeUnit.MILLISECONDS);
        running.await(entered);
        FairQueue.giveUpWhen(exchange.gone(), entered);
        return entered.thenCompose(place -> {
            Source<Tagged, UniqueKillSwitch> events = events(answer, requests, watch)
                    .watchTermination(
                            (killSwitch, done) -> begin(exchange.tenant(), answer, recording, place, killSwitch, done));
            CompletionStage<HttpResponse> response =
                    call.stream() ? streamed(answer, events, recording) : whole(answer, events);
            if (!call.resumable()) {
                exchange.gone().thenRun(() -> running.giveUp(answer));
            }
            return response;
        });
    }

    /** An answer stands whole in memory before it is sent, and a recording as long as it is kept. */
    private static void requireSmall(GenerationCall call) {
        int alternatives = Math.max(0, call.request().sampling().topLogprobs());
        long scored = call.scoresPrompts()
                ? call.prompts().stream().mapToLong(Ints::size).sum()
                : 0;
        boolean passes = call.stream() && !call.resumable();
        long drawn = passes ? 0 : (long) call.prompts().size() * call.request().maxTokens();
        long entries = (scored + drawn) * call.drawn() * (1 + alternatives);
        if (entries > MOST_ENTRIES) {
            throw ApiError.invalid(
                    "max_tokens",
                    "choices x (max_tokens + echoed tokens with logprobs) x (1 + alternatives) = %d, expected at most %d; ask for less, or for a stream that is not resumable"
                            .formatted(entries, MOST_ENTRIES));
        }
    }

    /** The requests for the prompts of a call. Each has what is left of the deadline when it is asked for. */
    private static IntFunction<TextRequest> requests(Exchange exchange, Answer answer) {
        GenerationCall call = answer.call();
        long began = System.nanoTime();
        boolean elsewhere = call.resumable() && call.prompts().size() == 1;
        Ticket ticket = elsewhere ? StreamForm.ticket(exchange.tenant(), answer, exchange.body()) : null;
        return prompt -> {
            Duration left = call.request().deadline().minusNanos(System.nanoTime() - began);
            TextRequest request = call.of(exchange.tenant(), prompt)
                    .withDeadline(left.compareTo(LEAST_DEADLINE) < 0 ? LEAST_DEADLINE : left);
            return ticket == null ? request : request.withTicket(ticket);
        };
    }

    private Source<Tagged, UniqueKillSwitch> events(Answer answer, IntFunction<TextRequest> requests, Watch watch) {
        GenerationCall call = answer.call();
        return Source.from(IntStream.range(0, call.prompts().size()).boxed().toList())
                .flatMapMerge(
                        answer.together(),
                        prompt -> generate(requests.apply(prompt)).map(event -> new Tagged(prompt, event)))
                .viaMat(KillSwitches.single(), Keep.right())
                .map(tagged -> {
                    watch.see(tagged.event());
                    return tagged;
                });
    }

    /** When the server ends, its clients come back to the generation elsewhere, if they can. */
    private Source<TextEvent, NotUsed> generate(TextRequest request) {
        return request.ticket() == null ? troupe.generate(request) : troupe.generate(request, running::isOver);
    }

    private UniqueKillSwitch begin(
            String tenant,
            Answer answer,
            @Nullable Recording recording,
            FairQueue.Place place,
            UniqueKillSwitch killSwitch,
            CompletionStage<Done> done) {
        running.begin(tenant, answer, killSwitch);
        done.whenComplete((ended, failure) -> {
            place.close();
            running.end(answer);
            if (failure instanceof RequestFailedException failed) {
                metrics.failed(failed.kind());
                if (recording != null && new GenerationFailure(failed.kind(), "").isElsewhere()) {
                    running.recordings().forget(answer.id(), recording);
                }
            }
        });
        return killSwitch;
    }

    /** The stream of an answer whose events come from elsewhere. It takes no place in the queue: it had one when it began. */
    Recording goOn(String tenant, Answer answer, Source<TextEvent, NotUsed> events) {
        Recording recording = running.recordings().open(tenant, answer.id());
        Source<Tagged, NotUsed> tagged = events.map(event -> new Tagged(0, event))
                .viaMat(KillSwitches.single(), Keep.right())
                .watchTermination((killSwitch, done) -> begin(tenant, answer, recording, () -> {}, killSwitch, done))
                .mapMaterializedValue(_ -> NotUsed.getInstance());
        return recorded(recording, render(tagged, answer));
    }

    private CompletionStage<HttpResponse> whole(Answer answer, Source<Tagged, UniqueKillSwitch> events) {
        CompletionStage<Done> done =
                events.runWith(Sink.foreach(tagged -> answer.take(tagged.prompt(), tagged.event())), troupe.system());
        return done.handle((ended, failure) -> {
            if (failure != null) {
                throw error(failure);
            }
            if (!answer.isWhole()) {
                throw answer.unfinished();
            }
            return Responses.json(answer.whole());
        });
    }

    /** Waits for the first event, so that what is refused has a status. */
    private CompletionStage<HttpResponse> streamed(
            Answer answer, Source<Tagged, UniqueKillSwitch> events, @Nullable Recording recording) {
        return events.prefixAndTail(1).runWith(Sink.head(), troupe.system()).handle((opened, failure) -> {
            if (failure != null) {
                throw error(failure);
            }
            List<Tagged> first = opened.first();
            Source<ByteString, NotUsed> rendered = render(Source.from(first).concat(opened.second()), answer);
            return Responses.events(
                    recording == null ? rendered : recorded(recording, rendered).from(0));
        });
    }

    /** The stream runs by itself from now on, and its client reads what is written down of it. */
    private Recording recorded(Recording recording, Source<ByteString, NotUsed> events) {
        events.runWith(Sink.foreach(recording::add), troupe.system()).whenComplete((done, failure) -> recording.end());
        return recording;
    }

    /** Events with numbers, an end, and after it the usual last word; or an error and no last word. */
    private static Source<ByteString, NotUsed> render(Source<Tagged, NotUsed> events, Answer answer) {
        Numbers numbers = new Numbers(answer);
        return events.mapConcat(tagged -> answer.take(tagged.prompt(), tagged.event()).stream()
                        .map(chunk -> numbers.event(chunk.toString()))
                        .toList())
                .concatLazy(Source.lazySource(() -> Source.from(numbers.end())))
                .recover(new PFBuilder<Throwable, ByteString>()
                        .matchAny(failure -> Numbers.broken(error(failure)))
                        .build());
    }

    /** Numbers the events of one stream. */
    private static final class Numbers {
        private final Answer answer;
        private int next;

        Numbers(Answer answer) {
            this.answer = answer;
        }

        ByteString event(String data) {
            return ByteString.fromString("id: %s:%d\ndata: %s\n\n".formatted(answer.id(), next++, data));
        }

        /** It has no number: another front end has an event of this stream for the next one. */
        static ByteString broken(ApiError error) {
            return ByteString.fromString("data: %s\n\n".formatted(error.toJson()));
        }

        List<ByteString> end() {
            if (!answer.isWhole()) {
                return List.of(broken(answer.unfinished()));
            }
            List<ByteString> last = new ArrayList<>();
            if (answer.call().includeUsage()) {
                last.add(event(answer.usageChunk().toString()));
            }
            last.add(event("[DONE]"));
            return last;
        }
    }

    /** What a client hears of a failure. */
    static ApiError error(Throwable failure) {
        Throwable cause = failure;
        while (cause instanceof CompletionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return switch (cause) {
            case ApiError error -> error;
            case RequestFailedException failed ->
                ApiError.of(
                        failed.kind(), Optional.ofNullable(failed.getMessage()).orElse(""));
            case CancellationException _ -> ApiError.cancelled("the client has hung up");
            case TimeoutException _ ->
                ApiError.of(GenerationFailure.Kind.DEADLINE, "its deadline has passed before it could begin");
            case CancelledException cancelled -> ApiError.cancelled(String.valueOf(cancelled.getMessage()));
            default -> {
                LOG.error("a defect while answering", cause);
                yield ApiError.defect();
            }
        };
    }

    /** Times between the events of one call. */
    private static final class Watch {
        private final HttpMetrics metrics;
        private long last = System.nanoTime();
        private boolean any;

        Watch(HttpMetrics metrics) {
            this.metrics = metrics;
        }

        void see(TextEvent event) {
            switch (event) {
                case TextEvent.Started started ->
                    metrics.prompt(started.prompt().size());
                case TextEvent.Token _ -> {
                    long now = System.nanoTime();
                    metrics.token(!any, now - last);
                    last = now;
                    any = true;
                }
                case TextEvent.PromptToken _,
                        TextEvent.Logits _,
                        TextEvent.Hidden _,
                        TextEvent.Ended _,
                        TextEvent.Usage _ -> {}
            }
        }
    }
}
