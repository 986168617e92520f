package dev.troupe.samples;

import dev.troupe.client.Completion;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.node.LocalTroupe;
import dev.troupe.node.ModelLocation;
import dev.troupe.tensor.Floats;
import java.util.List;

/** Every layer on one, two, three and four ranks: the same bits. Three ranks own 2, 1 and 1 of the four KV heads. */
public final class TensorParallelOnOneMachine {
    private TensorParallelOnOneMachine() {}

    public static void main(String[] arguments) throws Exception {
        TextRequest request = TextRequest.greedy("Lily and Ben", 24).withLogits(true);
        List<Floats> whole = List.of();
        for (int ranks = 1; ranks <= 4; ranks++) {
            try (Troupe troupe = LocalTroupe.start(ModelLocation.of("tales"), 1, ranks)) {
                Completion.Choice choice = troupe.complete(request)
                        .toCompletableFuture()
                        .get()
                        .choices()
                        .getFirst();
                whole = ranks == 1 ? choice.logits() : whole;
                System.out.printf(
                        "%d ranks: %d rows of logits %s%n",
                        ranks, choice.logits().size(), choice.logits().equals(whole) ? "identical" : "DIFFERENT");
            }
        }
    }
}
