package dev.troupe.generation;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.stream.CompletionStrategy;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.stream.typed.javadsl.ActorSource;

/** A generation's log as a stream with back-pressure. */
public final class GenerationStream {
    private GenerationStream() {}

    /**
     * The log from one place on. The stream ends after the last entry, or fails with {@link GenerationFailedException}.
     * Cancelling it ends the subscription, and with that a generation that does not linger.
     *
     * @param from place of the first entry that is wanted; 0 for all
     */
    public static Source<LogEntry, NotUsed> of(ActorRef<Generation.Command> generation, long from) {
        return events(generation, from)
                .mapConcat(event -> event instanceof GenerationEvent.Entries entries ? entries.entries() : List.of());
    }

    /** As {@link #of}, by events: each holds as many entries as were there when the consumer was ready for more. */
    public static Source<GenerationEvent, NotUsed> events(ActorRef<Generation.Command> generation, long from) {
        return Source.fromMaterializer((materializer, attributes) -> {
                    long subscription = ThreadLocalRandom.current().nextLong();
                    Source<GenerationEvent, ActorRef<GenerationEvent>> source = ActorSource.actorRefWithBackpressure(
                            generation,
                            new Generation.Demand(subscription, 1),
                            GenerationStream::completion,
                            GenerationStream::failure);
                    return source.mapMaterializedValue(subscriber -> {
                        generation.tell(new Generation.Subscribe(subscription, from, 1, subscriber));
                        return NotUsed.getInstance();
                    });
                })
                .mapMaterializedValue(stage -> NotUsed.getInstance());
    }

    private static Optional<CompletionStrategy> completion(GenerationEvent event) {
        return event instanceof GenerationEvent.Ended ? Optional.of(CompletionStrategy.draining()) : Optional.empty();
    }

    private static Optional<Throwable> failure(GenerationEvent event) {
        return event instanceof GenerationEvent.Failed failed
                ? Optional.of(new GenerationFailedException(failed.id(), failed.failure()))
                : Optional.empty();
    }
}
