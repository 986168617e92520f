package dev.troupe.samples;

import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.LocalTroupe;
import dev.troupe.node.ModelLocation;

/** One process, one model, one story. */
public final class SingleNodeStory {
    private SingleNodeStory() {}

    public static void main(String[] arguments) throws Exception {
        try (Troupe troupe = LocalTroupe.start(ModelLocation.of("tales"), 1, 1)) {
            TextRequest request = TextRequest.greedy("Once upon a time", 60);
            System.out.println(
                    troupe.complete(request).toCompletableFuture().get().text());
        }
    }
}
