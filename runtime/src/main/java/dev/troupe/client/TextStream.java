package dev.troupe.client;

import dev.troupe.generation.Generation;
import dev.troupe.generation.GenerationEvent;
import dev.troupe.generation.GenerationRequest;
import dev.troupe.generation.LogEntry;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.GenerationId;
import dev.troupe.serving.Output;
import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.UUID;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * The front end's end of one client's stream: takes entries from a generation, makes text of them, and sends events as
 * the client asks for them. The events are a fold over the log and are numbered, so that a client which resumes at another
 * front end gets the ones that it has not seen. The generation ends with it, unless it goes on elsewhere.
 */
public final class TextStream {
    private static final Duration CLIENT_PATIENCE = Duration.ofSeconds(30);
    private static final Duration CHECK_EVERY = Duration.ofSeconds(5);
    private static final long SUBSCRIPTION = 1;

    /** A generation answers its start at once, whatever it has to wait for afterwards. */
    private static final Duration START_WITHIN = Duration.ofSeconds(15);

    private final ActorContext<Command> context;
    private final Work work;
    private final RecipientRef<Generation.Command> generation;
    private final ActorRef<StreamReader.Answer> client;
    private final Supplier<List<String>> frontEnds;
    private final EventText text;
    private final ArrayDeque<StreamReader.Event> buffer = new ArrayDeque<>();
    private final Map<Integer, Integer> tokens = new HashMap<>();
    private final ActorRef<GenerationEvent> subscriber;

    /** Events of every choice that the client had before this stream, and that are still to be made again. */
    private final int[] again;

    /** Number of the first event that the client does not take yet. */
    private long until;

    /** Events that the client had, and those made for it; and those that have been sent. */
    private long made;

    private long sent;
    private boolean started;
    private boolean asked;
    private StreamReader.@Nullable Answer last;
    private long heardAt = System.nanoTime();

    private TextStream(
            ActorContext<Command> context,
            Work work,
            RecipientRef<Generation.Command> generation,
            Ints seen,
            Supplier<List<String>> frontEnds,
            ActorRef<StreamReader.Answer> client) {
        this.context = context;
        this.work = work;
        this.generation = generation;
        this.again = Arrays.copyOf(seen.toArray(), work.request().n());
        this.frontEnds = frontEnds;
        this.client = client;
        this.text = new EventText(
                work.tokenizer(),
                work.request().prompt(),
                work.stop(),
                work.request().finish().stopTokens());
        this.subscriber = context.messageAdapter(GenerationEvent.class, FromGeneration::new);
    }

    /** What a stream understands. */
    public sealed interface Command {}

    /** The client takes the events whose numbers are below {@code until}. */
    public record Demand(long until) implements Command {}

    /** The client leaves, or has all. */
    public record Cancel() implements Command {}

    /** The client leaves, and the generation goes on for as long as it is kept, for whoever comes back to it. */
    public record Leave() implements Command {}

    /** Are you there? Answered by {@link StreamReader.Pong}. */
    public record Ping() implements Command {}

    private record GenerationStarted(Generation.Started started) implements Command {}

    private record GenerationResumed(Generation.Resumption resumption) implements Command {}

    private record FromGeneration(GenerationEvent event) implements Command {}

    private record Check() implements Command {}

    private record StartOverdue() implements Command {}

    /**
     * A request in tokens, and what turns its tokens into text.
     *
     * @param tokenizer or null if the model has none
     * @param stop texts that end a choice
     */
    record Work(GenerationRequest request, @Nullable Tokenizer tokenizer, List<String> stop) {

        /**
         * The work of a request, whose guide is known to compile.
         *
         * @throws IllegalArgumentException if the request cannot be served; the message tells the client why
         */
        static Work of(TextRequest request, FrontEnd.Setup setup) {
            Ints prompt = switch (request.prompt()) {
                case TextRequest.Tokens given -> given.ids();
                case TextRequest.Text given -> encode(given.text(), setup);
            };
            if (setup.tokenizer() == null && !request.stop().isEmpty()) {
                throw new IllegalArgumentException(
                        "stop does not work: model %s has no tokenizer".formatted(setup.model()));
            }
            SamplingParameters sampling = request.sampling();
            requireGuideWorks(sampling.guide(), setup);
            GenerationRequest.Builder builder = GenerationRequest.of(setup.model(), prompt)
                    .n(request.choices())
                    .sampling(sampling)
                    .maxTokens(request.maxTokens())
                    .stopTokens((request.ignoreEos() ? Ints.of() : setup.eosTokens()).append(request.stopTokens()))
                    .returns(request.returns())
                    .deadline(request.deadline())
                    .linger(setup.resumeWithin())
                    .traceId(UUID.randomUUID().toString())
                    .cacheSalt(request.cacheSalt())
                    .precedence(request.precedence())
                    .ticket(request.ticket());
            return new Work(builder.build(), setup.tokenizer(), request.stop());
        }

        /** Whether it compiles has been found out before, where that holds up nobody. */
        private static void requireGuideWorks(@Nullable GuideSpec guide, FrontEnd.Setup setup) {
            if (guide == null) {
                return;
            }
            if (setup.tokenizer() == null || setup.eosTokens().isEmpty()) {
                throw new IllegalArgumentException("a guide does not work: model %s has %s"
                        .formatted(
                                setup.model(),
                                setup.tokenizer() == null ? "no tokenizer" : "no token that ends a text"));
            }
        }

        private static Ints encode(String text, FrontEnd.Setup setup) {
            if (setup.tokenizer() == null) {
                throw new IllegalArgumentException(
                        "model %s has no tokenizer, so a prompt must be token ids".formatted(setup.model()));
            }
            return setup.tokenizer().encode(text);
        }
    }

    /** A stream of {@code work} from {@code generation}, which has not begun, to {@code client}. */
    static Behavior<Command> create(
            Work work,
            RecipientRef<Generation.Command> generation,
            Supplier<List<String>> frontEnds,
            ActorRef<StreamReader.Answer> client) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            TextStream stream = new TextStream(context, work, generation, Ints.of(), frontEnds, client);
            stream.open(timers);
            generation.tell(new Generation.Start(
                    work.request(), context.messageAdapter(Generation.Started.class, GenerationStarted::new)));
            return Behaviors.receiveMessage(stream::on);
        }));
    }

    /**
     * A stream of a generation that another front end may have begun.
     *
     * @param generation goes on with it
     * @param original its id when it began
     * @param seen events of every choice that the client has, beside the first of all
     */
    static Behavior<Command> resume(
            Work work,
            RecipientRef<Generation.Command> generation,
            GenerationId original,
            Ints seen,
            Supplier<List<String>> frontEnds,
            ActorRef<StreamReader.Answer> client) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            TextStream stream = new TextStream(context, work, generation, seen, frontEnds, client);
            // The client has the first event, which is no part of the log.
            stream.made = 1 + seen.stream().asLongStream().sum();
            stream.sent = stream.made;
            stream.open(timers);
            generation.tell(new Generation.Resume(
                    original,
                    work.request(),
                    context.messageAdapter(Generation.Resumption.class, GenerationResumed::new)));
            return Behaviors.receiveMessage(stream::on);
        }));
    }

    private void open(TimerScheduler<Command> timers) {
        timers.startTimerWithFixedDelay(new Check(), CHECK_EVERY);
        timers.startSingleTimer(new StartOverdue(), START_WITHIN);
        client.tell(new StreamReader.Opened(context.getSelf()));
    }

    private Behavior<Command> on(Command command) {
        switch (command) {
            case Demand demand -> {
                heard();
                until = Math.max(until, demand.until());
            }
            case Ping ping -> {
                heard();
                pong();
            }
            case Cancel cancel -> {
                return cancel();
            }
            case Leave leave -> {
                return Behaviors.stopped();
            }
            case Check check -> {
                if (System.nanoTime() - heardAt > CLIENT_PATIENCE.toNanos()) {
                    return cancel();
                }
            }
            case StartOverdue overdue -> {
                if (!started && last == null) {
                    generation.tell(Generation.Cancel.INSTANCE);
                    return end(new GenerationFailure(
                            GenerationFailure.Kind.NO_CAPACITY,
                            "no generation was started for request %s within %d s; this front end may be forming or leaving: send the request again, or to another front end"
                                    .formatted(work.request().traceId(), START_WITHIN.toSeconds())));
                }
            }
            case GenerationStarted answer -> {
                if (!started && last == null) {
                    make(new TextEvent.Started(
                            answer.started().id().toString(), work.request().prompt()));
                    subscribe();
                }
            }
            case GenerationResumed(Generation.Resumed _) -> {
                if (!started && last == null) {
                    subscribe();
                }
            }
            case GenerationResumed(Generation.NotResumed answer) -> {
                return end(answer.failure());
            }
            case FromGeneration from -> {
                asked = false;
                return onGeneration(from.event());
            }
        }
        return send();
    }

    private void subscribe() {
        started = true;
        asked = true;
        generation.tell(new Generation.Subscribe(SUBSCRIPTION, 0, 1, subscriber));
    }

    private void pong() {
        client.tell(new StreamReader.Pong(sent, frontEnds.get()));
        StreamReader.Answer end = last;
        if (end != null && buffer.isEmpty()) {
            client.tell(end);
        }
    }

    private Behavior<Command> onGeneration(GenerationEvent event) {
        switch (event) {
            case GenerationEvent.Entries entries -> {
                entries.entries().forEach(this::onEntry);
            }
            case GenerationEvent.Ended ended -> {
                int shown = tokens.values().stream().mapToInt(Integer::intValue).sum();
                last = new StreamReader.Completed(
                        made, new TextEvent.Usage(ended.promptTokens(), shown, ended.cachedTokens()));
                if (buffer.isEmpty()) {
                    client.tell(last);
                }
            }
            case GenerationEvent.Failed(GenerationId _, GenerationFailure failure) -> {
                if (failure.isElsewhere()) {
                    return end(failure);
                }
                last = new StreamReader.Failed(failure);
                if (buffer.isEmpty()) {
                    client.tell(last);
                }
            }
        }
        return send();
    }

    /** The events of one choice come in the order of its tokens; those of several mix as their steps ended. */
    private void make(TextEvent event) {
        OptionalInt choice = TextEvent.choiceOf(event);
        if (choice.isPresent() && again[choice.getAsInt()] > 0) {
            again[choice.getAsInt()]--;
            return;
        }
        buffer.add(new StreamReader.Event(made, event));
        made++;
    }

    private void onEntry(LogEntry entry) {
        switch (entry) {
            case LogEntry.Computed computed -> {
                Output output = computed.output();
                boolean ended = text.hasEnded(output.choice());
                if (output instanceof Output.Token && !ended) {
                    tokens.merge(output.choice(), 1, Integer::sum);
                }
                text.on(output).forEach(this::make);
                if (!ended && text.hasEnded(output.choice())) {
                    generation.tell(new Generation.End(output.choice(), tokens.getOrDefault(output.choice(), 0)));
                }
            }
            case LogEntry.Finished finished ->
                text.onEnd(finished.choice(), finished.reason()).forEach(this::make);
        }
    }

    /** Sends what the client takes, and asks for more when all is sent. */
    private Behavior<Command> send() {
        boolean sends = false;
        for (StreamReader.Event event = buffer.peek(); event != null && event.number() < until; event = buffer.peek()) {
            client.tell(buffer.remove());
            sent = event.number() + 1;
            sends = true;
        }
        if (!buffer.isEmpty()) {
            return Behaviors.same();
        }
        StreamReader.Answer end = last;
        if (end != null) {
            if (sends) {
                client.tell(end);
            }
        } else if (started && !asked && sent < until) {
            asked = true;
            generation.tell(new Generation.Demand(SUBSCRIPTION, 1));
        }
        return Behaviors.same();
    }

    /** Ends without all events; the generation is not this stream's any more. */
    private Behavior<Command> end(GenerationFailure failure) {
        client.tell(new StreamReader.Failed(failure));
        return Behaviors.stopped();
    }

    private Behavior<Command> cancel() {
        // One that is complete and has a ticket may be asked for again elsewhere, for as long as it lingers.
        if (!(last instanceof StreamReader.Completed) || work.request().ticket() == null) {
            generation.tell(Generation.Cancel.INSTANCE);
        }
        return Behaviors.stopped();
    }

    private void heard() {
        heardAt = System.nanoTime();
    }
}
