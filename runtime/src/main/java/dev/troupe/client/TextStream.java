package dev.troupe.client;

import dev.troupe.generation.Generation;
import dev.troupe.generation.GenerationEvent;
import dev.troupe.generation.GenerationRequest;
import dev.troupe.generation.LogEntry;
import dev.troupe.sampling.SamplingParameters;
import dev.troupe.serving.GenerationFailure;
import dev.troupe.serving.Output;
import dev.troupe.serving.Returns;
import dev.troupe.stage.Want;
import dev.troupe.tensor.Ints;
import dev.troupe.text.Tokenizer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * The front end's end of one client's stream: takes entries from a generation, makes text of them, and sends events as
 * the client asks for them. The generation ends with it, unless it is complete.
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
    private final ActorRef<StreamReader.Message> client;
    private final EventText text;
    private final ArrayDeque<StreamReader.Message> buffer = new ArrayDeque<>();
    private final Map<Integer, Integer> tokens = new HashMap<>();
    private final ActorRef<GenerationEvent> subscriber;
    private int credit;
    private boolean started;
    private boolean asked;
    private boolean complete;
    private long heardAt = System.nanoTime();

    private TextStream(
            ActorContext<Command> context,
            Work work,
            RecipientRef<Generation.Command> generation,
            ActorRef<StreamReader.Message> client) {
        this.context = context;
        this.work = work;
        this.generation = generation;
        this.client = client;
        this.text = new EventText(work.tokenizer(), work.stop());
        this.subscriber = context.messageAdapter(GenerationEvent.class, FromGeneration::new);
    }

    /** What a stream understands. */
    public sealed interface Command {}

    /** The client takes {@code events} more. */
    public record Demand(int events) implements Command {}

    /** The client leaves. */
    public record Cancel() implements Command {}

    /** Are you there? Answered by {@link StreamReader.Pong}. */
    public record Ping() implements Command {}

    private record GenerationStarted(Generation.Started started) implements Command {}

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
         * The work of a request.
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
                        "stop does not work: model %s has no tokenizer.json".formatted(setup.model()));
            }
            SamplingParameters sampling = request.sampling();
            GenerationRequest.Builder builder = GenerationRequest.of(setup.model(), prompt)
                    .n(request.choices())
                    .sampling(sampling)
                    .maxTokens(request.maxTokens())
                    .stopTokens(request.ignoreEos() ? Ints.of() : setup.eosTokens())
                    .deadline(request.deadline())
                    .traceId(UUID.randomUUID().toString());
            if (request.logits()) {
                builder.returns(new Returns(Set.of(Want.Kind.ROW), Set.of(Want.Kind.ROW)));
            }
            return new Work(builder.build(), setup.tokenizer(), request.stop());
        }

        private static Ints encode(String text, FrontEnd.Setup setup) {
            if (setup.tokenizer() == null) {
                throw new IllegalArgumentException(
                        "model %s has no tokenizer.json, so a prompt must be token ids".formatted(setup.model()));
            }
            return setup.tokenizer().encode(text);
        }
    }

    /** A stream of {@code work} from {@code generation}, which has not begun, to {@code client}. */
    static Behavior<Command> create(
            Work work, RecipientRef<Generation.Command> generation, ActorRef<StreamReader.Message> client) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            TextStream stream = new TextStream(context, work, generation, client);
            stream.begin(timers);
            return Behaviors.receiveMessage(stream::on);
        }));
    }

    private void begin(TimerScheduler<Command> timers) {
        timers.startTimerWithFixedDelay(new Check(), CHECK_EVERY);
        timers.startSingleTimer(new StartOverdue(), START_WITHIN);
        client.tell(new StreamReader.Opened(context.getSelf()));
        generation.tell(new Generation.Start(
                work.request(), context.messageAdapter(Generation.Started.class, GenerationStarted::new)));
    }

    private Behavior<Command> on(Command command) {
        switch (command) {
            case Demand demand -> {
                heard();
                credit += demand.events();
            }
            case Ping ping -> {
                heard();
                client.tell(new StreamReader.Pong());
            }
            case Cancel cancel -> {
                return cancel();
            }
            case Check check -> {
                if (System.nanoTime() - heardAt > CLIENT_PATIENCE.toNanos()) {
                    return cancel();
                }
            }
            case StartOverdue overdue -> {
                if (!started) {
                    generation.tell(Generation.Cancel.INSTANCE);
                    complete = true;
                    buffer.add(new StreamReader.Failed(new GenerationFailure(
                            GenerationFailure.Kind.NO_CAPACITY,
                            "no generation was started for request %s within %d s; this front end may be forming or leaving: send the request again, or to another front end"
                                    .formatted(work.request().traceId(), START_WITHIN.toSeconds()))));
                }
            }
            case GenerationStarted answer -> {
                if (started || complete) {
                    return Behaviors.same();
                }
                started = true;
                buffer.add(new StreamReader.Event(new TextEvent.Started(
                        answer.started().id().toString(), work.request().prompt())));
                generation.tell(new Generation.Subscribe(SUBSCRIPTION, 0, 1, subscriber));
                asked = true;
            }
            case FromGeneration from -> {
                asked = false;
                onGeneration(from.event());
            }
        }
        return send();
    }

    private void onGeneration(GenerationEvent event) {
        switch (event) {
            case GenerationEvent.Entries entries -> entries.entries().forEach(this::onEntry);
            case GenerationEvent.Ended ended -> {
                complete = true;
                buffer.add(new StreamReader.Completed());
            }
            case GenerationEvent.Failed failed -> {
                complete = true;
                buffer.add(new StreamReader.Failed(failed.failure()));
            }
        }
    }

    private void onEntry(LogEntry entry) {
        switch (entry) {
            case LogEntry.Computed computed -> {
                Output output = computed.output();
                boolean ended = text.hasEnded(output.choice());
                if (output instanceof Output.Token && !ended) {
                    tokens.merge(output.choice(), 1, Integer::sum);
                }
                text.on(output).forEach(event -> buffer.add(new StreamReader.Event(event)));
                if (!ended && text.hasEnded(output.choice())) {
                    generation.tell(new Generation.End(output.choice(), tokens.getOrDefault(output.choice(), 0)));
                }
            }
            case LogEntry.Finished finished ->
                text.onEnd(finished.choice(), finished.reason())
                        .forEach(event -> buffer.add(new StreamReader.Event(event)));
        }
    }

    /** Sends what the client takes, and asks for more when all is sent. */
    private Behavior<Command> send() {
        while (!buffer.isEmpty() && (credit > 0 || !(buffer.peek() instanceof StreamReader.Event))) {
            StreamReader.Message message = buffer.remove();
            credit -= message instanceof StreamReader.Event ? 1 : 0;
            client.tell(message);
        }
        if (buffer.isEmpty() && complete) {
            return Behaviors.stopped();
        }
        if (buffer.isEmpty() && !asked && credit > 0) {
            asked = true;
            generation.tell(new Generation.Demand(SUBSCRIPTION, 1));
        }
        return Behaviors.same();
    }

    private Behavior<Command> cancel() {
        if (!complete) {
            generation.tell(Generation.Cancel.INSTANCE);
        }
        return Behaviors.stopped();
    }

    private void heard() {
        heardAt = System.nanoTime();
    }
}
