package dev.troupe.kernel.measure;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.kvstore.KvStore;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.ObjIntConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The operations of a decoder's layer, each by itself, on random operands of its shapes. Weights and caches rotate over more memory
 * than caches hold; activations do not, as in a model.
 */
public final class KernelTable {
    private static final int BLOCK_SIZE = 32;

    /** Rows of one step up to which they are tokens of as many sequences; more are the prompt of one. */
    private static final int MOST_SEQUENCES = 64;

    /** Rows that a shard computes logits for at once. */
    private static final int LOGIT_ROWS = 16;

    /** Calls that are timed together, of operations that take microseconds. */
    private static final int SHORT_CALLS = 32;

    private static final int LEAST_CALLS = 4;

    /**
     * Sizes of the model.
     *
     * @param type of its matrices
     * @param cache type of its keys and values
     */
    public record Shape(
            int hidden,
            int intermediate,
            int heads,
            int kvHeads,
            int headDim,
            int vocabulary,
            DType type,
            KvType cache) {
        int qkvColumns() {
            return (heads + 2 * kvHeads) * headDim;
        }
    }

    /**
     * What is measured.
     *
     * @param tokens rows of steps
     * @param contexts positions that attention sees
     * @param passes that are timed for each row of the table
     * @param rotation bytes that the copies of weights and caches take at least, together
     */
    public record Plan(List<Integer> tokens, List<Integer> contexts, int passes, long rotation) {
        /** @throws IllegalArgumentException if a number is not positive */
        public Plan {
            tokens = List.copyOf(tokens);
            contexts = List.copyOf(contexts);
            boolean positive = tokens.stream().allMatch(n -> n > 0)
                    && contexts.stream().allMatch(n -> n > 0)
                    && passes > 0
                    && rotation > 0;
            if (!positive) {
                throw new IllegalArgumentException("tokens=%s, contexts=%s, passes=%d, rotation=%d, expected at least 1"
                        .formatted(tokens, contexts, passes, rotation));
            }
        }
    }

    /**
     * Kernels of a device.
     *
     * @param clock of the device that they run on
     */
    public record Timed(Kernels kernels, WorkClock clock) {}

    private final Kernels kernels;
    private final WorkClock clock;
    private final @Nullable Timed fast;
    private final Shape shape;
    private final Plan plan;
    private final Consumer<KernelRow> each;

    /**
     * A table to be measured.
     *
     * @param exact kernels
     * @param fast those of the same device whose products are timed beside them, or null; told apart only where the shape's type has any
     * @param each is told of every row at once
     */
    public KernelTable(Timed exact, @Nullable Timed fast, Shape shape, Plan plan, Consumer<KernelRow> each) {
        this.kernels = exact.kernels();
        this.clock = exact.clock();
        this.fast = shape.type() == DType.BF16 || shape.type() == DType.F16 ? fast : null;
        this.shape = shape;
        this.plan = plan;
        this.each = each;
    }

    /** Measures all rows; nothing else should use the device. */
    public void measure() {
        int attended = shape.heads() * shape.headDim();
        matmul("qkv", shape.qkvColumns(), shape.hidden(), Integer.MAX_VALUE);
        matmulChunks("attention out", ReductionChunks.attention(shape.heads(), shape.kvHeads(), shape.headDim()));
        matmul("gate and up", 2 * shape.intermediate(), shape.hidden(), Integer.MAX_VALUE);
        matmulChunks("down", ReductionChunks.feedForward(shape.heads(), shape.kvHeads(), shape.intermediate()));
        matmul("output head", shape.vocabulary(), shape.hidden(), LOGIT_ROWS);
        for (int context : plan.contexts()) {
            for (int tokens : plan.tokens()) {
                if (tokens <= MOST_SEQUENCES || tokens <= context) {
                    attention(tokens, context, attended);
                }
            }
        }
        plan.tokens().forEach(this::rows);
    }

    private void matmul(String name, int rows, int columns, int mostTokens) {
        try (Arena arena = Arena.ofShared()) {
            Operands operands = new Operands(kernels, arena);
            // The same objects at every call: a GPU knows them again.
            List<StackedMatrix> copies =
                    operands.copies(operands.matrix(shape.type(), rows, columns), plan.rotation()).stream()
                            .map(StackedMatrix::of)
                            .toList();
            for (int tokens : plan.tokens().stream()
                    .map(n -> Math.min(n, mostTokens))
                    .distinct()
                    .toList()) {
                Tensor x = operands.floats(tokens, columns);
                Tensor y = operands.floats(tokens, rows);
                product(
                        "matmul " + name,
                        tokens,
                        copies.getFirst().byteSize() + bytes(x, y),
                        2.0 * rows * columns * tokens,
                        copies.size(),
                        (of, call) -> of.matmul(copies.get(call % copies.size()), null, x, tokens, y));
            }
        }
    }

    private void matmulChunks(String name, ReductionChunks chunks) {
        int columns = chunks.groupStart(chunks.groups());
        try (Arena arena = Arena.ofShared()) {
            Operands operands = new Operands(kernels, arena);
            List<ChunkedMatrix> copies =
                    operands.copies(operands.chunks(shape.type(), shape.hidden(), chunks), plan.rotation());
            for (int tokens : plan.tokens()) {
                Tensor x = operands.floats(tokens, columns);
                Tensor[] sums = copies.getFirst().nodes().stream()
                        .map(_ -> operands.floats(tokens, shape.hidden()))
                        .toArray(Tensor[]::new);
                product(
                        "matmulChunks " + name,
                        tokens,
                        copies.getFirst().byteSize() + bytes(x) + bytes(sums),
                        2.0 * shape.hidden() * columns * tokens,
                        copies.size(),
                        (of, call) -> of.matmulChunks(copies.get(call % copies.size()), x, tokens, sums));
            }
        }
    }

    private void product(
            String name, int tokens, long bytes, double operations, int copies, ObjIntConsumer<Kernels> call) {
        int calls = Math.max(LEAST_CALLS, copies);
        double seconds = seconds(clock, calls, i -> call.accept(kernels, i));
        double fastSeconds = fast == null ? 0 : seconds(fast.clock(), calls, i -> call.accept(fast.kernels(), i));
        each.accept(new KernelRow(
                name, tokens, 0, seconds, bytes, operations, shape.type().quantised(), fastSeconds));
    }

    /** Seconds of one of so many calls. */
    private double seconds(WorkClock clock, int calls, IntConsumer call) {
        return clock.medianSeconds(
                        plan.passes(), () -> IntStream.range(0, calls).forEach(call))
                / calls;
    }

    private static long bytes(Tensor... tensors) {
        return Arrays.stream(tensors)
                .mapToLong(tensor -> tensor.memory().byteSize())
                .sum();
    }

    private void attention(int tokens, int context, int attended) {
        boolean prompt = tokens > MOST_SEQUENCES;
        int sequences = prompt ? 1 : tokens;
        TokenBatch batch = prompt ? prompt(tokens, context) : decode(tokens, context);
        long cached = 2L
                * context
                * sequences
                * shape.kvHeads()
                * shape.headDim()
                * shape.cache().bytes();
        int layers = Math.clamp(Math.ceilDiv(plan.rotation(), cached), 1, SHORT_CALLS);
        try (Arena arena = Arena.ofShared();
                KvStore store = new KvStore(
                        kernels.memory(),
                        shape.cache(),
                        layers,
                        shape.kvHeads(),
                        shape.headDim(),
                        BLOCK_SIZE,
                        sequences * Math.ceilDiv(context, BLOCK_SIZE))) {
            Operands operands = new Operands(kernels, arena);
            operands.fill(store);
            Tensor qkv = operands.floats(tokens, shape.qkvColumns());
            Tensor y = operands.floats(tokens, attended);
            float scale = (float) (1 / Math.sqrt(shape.headDim()));
            double seconds = seconds(
                    clock,
                    Math.max(LEAST_CALLS, layers),
                    call -> kernels.attention(store, call % layers, qkv, scale, 0, batch, y));
            double seen = prompt ? (2.0 * context - tokens + 1) / 2 : context;
            each.accept(new KernelRow(
                    "attention " + shape.cache().label(),
                    tokens,
                    context,
                    seconds,
                    cached + 2 * bytes(y),
                    4 * seen * tokens * attended,
                    false,
                    0));
        }
    }

    /** The last token of each of several sequences, whose blocks alternate. */
    private static TokenBatch decode(int sequences, int context) {
        int blocks = Math.ceilDiv(context, BLOCK_SIZE);
        int[][] tables = new int[sequences][blocks];
        int[] positions = new int[sequences];
        Arrays.fill(positions, context - 1);
        for (int s = 0; s < sequences; s++) {
            for (int b = 0; b < blocks; b++) {
                tables[s][b] = b * sequences + s;
            }
        }
        return new TokenBatch(
                new int[sequences], positions, IntStream.range(0, sequences).toArray(), tables);
    }

    /** The last tokens of a prompt. */
    private static TokenBatch prompt(int tokens, int context) {
        return new TokenBatch(
                new int[tokens], IntStream.range(context - tokens, context).toArray(), new int[tokens], new int[][] {
                    IntStream.range(0, Math.ceilDiv(context, BLOCK_SIZE)).toArray()
                });
    }

    /** What is neither a product nor attention. */
    private void rows(int tokens) {
        try (Arena arena = Arena.ofShared();
                KvStore store = new KvStore(
                        kernels.memory(),
                        shape.cache(),
                        1,
                        shape.kvHeads(),
                        shape.headDim(),
                        BLOCK_SIZE,
                        Math.ceilDiv(tokens, BLOCK_SIZE))) {
            Operands operands = new Operands(kernels, arena);
            Tensor x = operands.floats(tokens, shape.hidden());
            Tensor y = operands.floats(tokens, shape.hidden());
            Tensor norm = operands.floats(1, shape.hidden());
            Tensor qkv = operands.floats(tokens, shape.qkvColumns());
            Tensor gateUp = operands.floats(tokens, 2 * shape.intermediate());
            Tensor activated = operands.floats(tokens, shape.intermediate());
            RopeTable table = new RopeTable(
                    operands.floats(tokens, shape.headDim() / 2), operands.floats(tokens, shape.headDim() / 2));
            TokenBatch batch = prompt(tokens, tokens);
            TokenFlags flags = kernels.flags(arena, tokens);
            int rotated = shape.heads() + shape.kvHeads();
            long pairs = 8L * tokens * rotated * shape.headDim();
            long kept = 2L
                    * tokens
                    * shape.kvHeads()
                    * shape.headDim()
                    * (4 + shape.cache().bytes());
            row("rmsNorm", tokens, bytes(x, y, norm), () -> kernels.rmsNorm(x, norm, 1e-5f, tokens, y));
            row("rope", tokens, pairs, () -> kernels.rope(qkv, 0, rotated, shape.headDim(), table, batch));
            row("storeKv", tokens, kept, () -> kernels.storeKv(store, 0, qkv, batch, flags));
            row("swiglu", tokens, bytes(gateUp, activated), () -> kernels.swiglu(gateUp, tokens, activated));
            row("add", tokens, bytes(x, y, x), () -> kernels.add(x, y, tokens));
        }
    }

    private void row(String name, int tokens, long bytes, Runnable call) {
        each.accept(new KernelRow(name, tokens, 0, seconds(clock, SHORT_CALLS, _ -> call.run()), bytes, 0, false, 0));
    }
}
