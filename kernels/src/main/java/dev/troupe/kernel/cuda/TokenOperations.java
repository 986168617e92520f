package dev.troupe.kernel.cuda;

import dev.troupe.kernel.KernelShapes;
import dev.troupe.kernel.RopeTable;
import dev.troupe.kernel.TokenBatch;
import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The operations of {@link dev.troupe.kernel.Kernels} that need to know more of a token than its row: its position, its id, its place
 * among others. Tensors lie in the memory of the device unless said otherwise. For the thread that owns the stream.
 */
public final class TokenOperations implements AutoCloseable {
    private static final int MOST_ROWS = 65_535;

    private final CudaStream stream;
    private final CudaModule ropeModule;
    private final CudaModule biasModule;
    private final CudaModule gatherModule;
    private final CudaModule markModule;
    private final CudaModule poisonModule;
    private final CudaModule embedModule;
    private final CudaKernel rope;
    private final CudaKernel bias;
    private final CudaKernel gather;
    private final CudaKernel mark;
    private final CudaKernel poison;
    private final Map<DType, CudaKernel> embed = new EnumMap<>(DType.class);
    private final UploadBuffer stored;
    private final UploadBuffer gathered;

    /** Loads the kernels for the device of a stream, which does all their work. */
    public TokenOperations(CudaStream stream) {
        this.stream = stream;
        ropeModule = KernelImages.load(stream.device(), "rope");
        biasModule = KernelImages.load(stream.device(), "add_bias");
        gatherModule = KernelImages.load(stream.device(), "gather_rows");
        markModule = KernelImages.load(stream.device(), "mark_non_finite");
        poisonModule = KernelImages.load(stream.device(), "poison_rows");
        embedModule = KernelImages.load(stream.device(), "embed");
        rope = ropeModule.kernel("rope");
        bias = biasModule.kernel("add_bias");
        gather = gatherModule.kernel("gather_rows");
        mark = markModule.kernel("mark_non_finite");
        poison = poisonModule.kernel("poison_rows");
        for (DType type : DType.values()) {
            embed.put(type, embedModule.kernel("embed_" + type.label()));
        }
        stored = new UploadBuffer(stream);
        gathered = new UploadBuffer(stream);
    }

    /** Rotates {@code heads} heads of {@code headDim} elements in place, from column {@code firstColumn}. */
    public void rope(Tensor x, int firstColumn, int heads, int headDim, RopeTable table, DeviceBatch batch) {
        KernelShapes.requireRope(x, firstColumn, heads, headDim, table, batch.host());
        if (heads == 0) {
            return;
        }
        StepRows rows = batch.rows();
        stream.arguments()
                .pointer(x.memory())
                .pointer(table.cosines().memory())
                .pointer(table.sines().memory())
                .pointer(batch.positions())
                .pointer(rows.count())
                .number(x.columns())
                .number(firstColumn)
                .number(heads)
                .number(headDim / 2);
        stream.launch(rope, blocks((long) heads * headDim / 2, rope), rows.bucket(), 0);
    }

    /** {@code a[t] = a[t] + bias} for each row; a {@code [rows, n]}, bias {@code [1, n]}. */
    public void addBias(Tensor a, Tensor biases, StepRows rows) {
        KernelShapes.requireRows("addBias", a, biases, rows.bucket(), a);
        stream.arguments()
                .pointer(a.memory())
                .pointer(biases.memory())
                .pointer(rows.count())
                .number(a.columns());
        stream.launch(bias, blocks(a.columns(), bias), rows.bucket(), 0);
    }

    /** {@code y[i] = x[rows[i]]}; x {@code [tokens, n]}, y at least {@code [rows.length, n]}. Not for work that is noted. */
    public void gatherRows(Tensor x, int[] rows, Tensor y) {
        KernelShapes.requireGather(x, rows, y);
        requireRows("gatherRows", rows.length);
        if (rows.length == 0) {
            return;
        }
        long bytes = 4L * (rows.length + 1);
        MemorySegment ints = gathered.stage(bytes);
        ints.set(ValueLayout.JAVA_INT, 0, rows.length);
        MemorySegment.copy(rows, 0, ints, ValueLayout.JAVA_INT, 4, rows.length);
        gathered.upload(bytes);
        stream.arguments()
                .pointer(x.memory())
                .pointer(y.memory())
                .pointer(gathered.device().asSlice(4, bytes - 4))
                .pointer(gathered.device().asSlice(0, 4))
                .number(x.columns());
        stream.launch(gather, blocks(x.columns(), gather), rows.length, 0);
    }

    /** {@code failed[t] = 1} for every row with a value that is not finite; x {@code [rows, n]}, failed an int for every row. */
    public void markNonFinite(Tensor x, MemorySegment failed, StepRows rows) {
        KernelShapes.requireFloats("markNonFinite", x, rows.bucket());
        requireFlags("markNonFinite", failed, rows.bucket());
        stream.arguments()
                .pointer(x.memory())
                .pointer(failed)
                .pointer(rows.count())
                .number(x.columns());
        stream.launch(mark, rows.bucket(), 1, 0);
    }

    /** {@code x[t] = NaN} for every row with {@code failed[t] = 1}; x {@code [rows, n]}, failed an int for every row. */
    public void poisonRows(Tensor x, MemorySegment failed, StepRows rows) {
        KernelShapes.requireFloats("poisonRows", x, rows.bucket());
        requireFlags("poisonRows", failed, rows.bucket());
        stream.arguments()
                .pointer(x.memory())
                .pointer(failed)
                .pointer(rows.count())
                .number(x.columns());
        stream.launch(poison, rows.bucket(), 1, 0);
    }

    /**
     * {@code y[t] = table[ids[t]]} widened to f32. Not for work that is noted.
     *
     * @param table {@code [vocabulary, hidden]} of any type in the memory of the host
     * @param y {@code [tokens, hidden]}
     */
    public void embed(Tensor table, DeviceBatch batch, Tensor y) {
        TokenBatch tokens = batch.host();
        KernelShapes.requireEmbed(table, tokens, y);
        if (tokens.tokens() == 0) {
            return;
        }
        long rowBytes = table.type().rowBytes(table.columns());
        long bytes = rowBytes * tokens.tokens();
        MemorySegment host = stored.stage(bytes);
        for (int t = 0; t < tokens.tokens(); t++) {
            MemorySegment.copy(table.memory(), rowBytes * tokens.id(t), host, rowBytes * t, rowBytes);
        }
        stored.upload(bytes);
        CudaKernel kernel = Objects.requireNonNull(embed.get(table.type()));
        stream.arguments()
                .pointer(stored.device())
                .pointer(y.memory())
                .pointer(batch.rows().count())
                .number(table.columns())
                .number(Math.toIntExact(rowBytes));
        stream.launch(kernel, blocks(table.columns(), kernel), tokens.tokens(), 0);
    }

    /** @throws IllegalArgumentException if there is not an int for every token */
    static void requireFlags(String operation, MemorySegment failed, int tokens) {
        if (failed.byteSize() < 4L * tokens) {
            throw new IllegalArgumentException("%s: %d bytes of flags are not enough for %d tokens"
                    .formatted(operation, failed.byteSize(), tokens));
        }
    }

    private static void requireRows(String operation, int rows) {
        if (rows > MOST_ROWS) {
            throw new IllegalArgumentException(
                    "%s: %d rows, expected at most %d".formatted(operation, rows, MOST_ROWS));
        }
    }

    /** Blocks with a thread for every value. */
    private static int blocks(long values, CudaKernel kernel) {
        return Math.toIntExact((values + kernel.threads() - 1) / kernel.threads());
    }

    /** Waits for the stream and gives everything back. */
    @Override
    public void close() {
        stored.close();
        gathered.close();
        List.of(ropeModule, biasModule, gatherModule, markModule, poisonModule, embedModule)
                .forEach(CudaModule::close);
    }
}
