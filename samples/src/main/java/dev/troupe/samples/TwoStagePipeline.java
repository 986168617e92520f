package dev.troupe.samples;

import dev.troupe.client.TextEvent;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.LocalTroupe;
import dev.troupe.node.ModelLocation;
import org.apache.pekko.stream.javadsl.Sink;

/** The layers on two stages; the story comes as a stream, token by token. */
public final class TwoStagePipeline {
    private TwoStagePipeline() {}

    public static void main(String[] arguments) throws Exception {
        try (Troupe troupe = LocalTroupe.start(ModelLocation.of("tales"), 2, 1)) {
            troupe.generate(TextRequest.greedy("Tom had a big dog.", 60))
                    .runWith(Sink.foreach(TwoStagePipeline::print), troupe.system())
                    .toCompletableFuture()
                    .get();
            System.out.println();
        }
    }

    private static void print(TextEvent event) {
        switch (event) {
            case TextEvent.Token token -> System.out.print(token.text());
            case TextEvent.Ended ended -> System.out.print(ended.text());
            case TextEvent.Started started -> System.out.printf("[%s]%n", started.id());
            case TextEvent.PromptToken _, TextEvent.Logits _, TextEvent.Hidden _, TextEvent.Usage _ -> {
                // Nobody asked for them.
            }
        }
    }
}
