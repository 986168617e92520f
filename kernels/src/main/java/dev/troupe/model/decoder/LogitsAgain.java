package dev.troupe.model.decoder;

import dev.troupe.kernel.StackedMatrix;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Tensor;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * Computes a row of logits of a step again, which gives the same bits. A state is small beside a row, so that keeping it costs little
 * where hardly any row is asked for a second time.
 *
 * @param states after the final norm {@code [any, hidden]}
 * @param row which of them
 */
record LogitsAgain(DecoderShard shard, Floats states, int row) implements Supplier<Floats> {
    @Override
    public Floats get() {
        StackedMatrix head = Objects.requireNonNull(shard.weights().head());
        Workspace work = shard.workspace();
        Tensor state = work.chosen();
        shard.kernels().memory().write(state, states.slice(row, row + 1));
        shard.kernels().matmul(head, null, state, 1, work.logits());
        return shard.kernels().memory().read(work.logits(), 1);
    }
}
