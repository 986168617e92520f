package dev.troupe.kernel.check;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.Numerics;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.kernel.cuda.CudaKernels;
import dev.troupe.kernel.cuda.FastCheck;
import dev.troupe.kernel.cuda.MatrixProducts;
import dev.troupe.kernel.cuda.RowOperations;
import dev.troupe.kernel.cuda.StepRows;
import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaException;
import dev.troupe.kernel.cuda.driver.CudaGraph;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The self-test of a GPU: its exact kernels, then the fast ones, which have bits of their own, then work that is noted and replayed, then
 * another GPU beside it.
 */
public final class DeviceSelfTest {
    /** The operation that may differ from plain loops, within a bound. */
    public static final String FAST = "fast products";

    private static final String GRAPH = "graph";
    private static final String TWO_DEVICES = "two devices";
    private static final long SEED = 21;
    private static final int COLUMNS = 256;
    private static final int BUCKET = 8;
    private static final float EPSILON = 1e-5f;

    private DeviceSelfTest() {}

    /**
     * Runs the checks of a plan; see {@link SelfTest#run}.
     *
     * @param ordinal of a GPU that a detection found
     * @param other of another one, or null
     * @throws CudaException if the driver does not let it be used at all
     */
    public static List<Finding> run(int ordinal, @Nullable Integer other, SelfTest.Plan plan, Consumer<Finding> each) {
        List<Finding> findings = new ArrayList<>();
        Consumer<Finding> noted = finding -> {
            findings.add(finding);
            each.accept(finding);
        };
        try (CudaDevice device = new CudaDevice(ordinal);
                CudaKernels kernels = new CudaKernels(device);
                Kernels plain = new ReferenceKernels()) {
            SelfTest.run(kernels, plan, noted);
            if (plan.has(FAST) && findings.stream().noneMatch(Finding::stopped)) {
                noted.accept(fast(device));
            }
            if (plan.has(GRAPH) && findings.stream().noneMatch(Finding::stopped)) {
                noted.accept(SelfTest.run(GRAPH, new Cases(plain, kernels, SEED), cases -> graph(cases, device)));
            }
            if (other != null && plan.has(TWO_DEVICES) && findings.stream().noneMatch(Finding::stopped)) {
                noted.accept(twoDevices(plain, kernels, other));
            }
        } catch (CudaException e) {
            // A device that has failed says so again when its memory is given back.
            if (findings.stream().noneMatch(Finding::stopped)) {
                throw e;
            }
        }
        return List.copyOf(findings);
    }

    private static Finding fast(CudaDevice device) {
        try (CudaKernels kernels = new CudaKernels(device, Numerics.FAST)) {
            return new Finding(FAST, FastCheck.CASES, FastCheck.difference(kernels), false);
        } catch (CudaException e) {
            return Finding.stopped(FAST, 0, e);
        }
    }

    /** Work that is noted once, for every count of rows up to its bucket: a norm, a product, an addition. */
    private static void graph(Cases cases, CudaDevice device) {
        DeviceMemory memory = cases.tested().memory();
        PackedMatrix w = MatrixPacker.pack(cases.arena(), cases.weights(DType.Q8_0, COLUMNS, COLUMNS, 0.05f));
        StackedMatrix placed = StackedMatrix.of(cases.placed(w));
        Twin norm = cases.floats(1, COLUMNS);
        Twin x = cases.floats(BUCKET, COLUMNS);
        Twin normed = cases.floats(BUCKET, COLUMNS);
        Twin y = cases.floats(BUCKET, COLUMNS);
        MemorySegment count = memory.allocate(cases.arena(), Integer.BYTES, DeviceMemory.Use.WORKSPACE);
        StepRows rows = new StepRows(count, BUCKET);
        try (CudaStream stream = device.stream();
                RowOperations operations = new RowOperations(device);
                MatrixProducts products = new MatrixProducts(stream, Numerics.EXACT)) {
            Runnable work = () -> {
                operations.rmsNorm(stream, x.tested(), norm.tested(), EPSILON, normed.tested(), rows);
                products.multiply(placed, null, normed.tested(), y.tested(), rows);
                operations.add(stream, x.tested(), y.tested(), rows);
            };
            work.run(); // for no row: takes what memory it needs
            stream.synchronize();
            try (CudaGraph graph = stream.capture(work)) {
                for (int tokens : new int[] {1, BUCKET, 3}) {
                    memory.write(count, MemorySegment.ofArray(new int[] {tokens}));
                    stream.launch(graph);
                    stream.synchronize();
                    cases.plain().rmsNorm(x.plain(), norm.plain(), EPSILON, tokens, normed.plain());
                    cases.plain().matmul(w, null, normed.plain(), tokens, y.plain());
                    cases.plain().add(x.plain(), y.plain(), tokens);
                    cases.compare("%d rows of %d".formatted(tokens, BUCKET), x);
                }
            }
        }
    }

    /** The same product on both, at the same time. */
    private static Finding twoDevices(Kernels plain, CudaKernels kernels, int other) {
        try (CudaDevice device = new CudaDevice(other);
                CudaKernels second = new CudaKernels(device);
                Cases there = new Cases(plain, second, SEED)) {
            Finding here = SelfTest.run(TWO_DEVICES, new Cases(plain, kernels, SEED), cases -> {
                PackedMatrix w = MatrixPacker.pack(cases.arena(), cases.weights(DType.BF16, 300, COLUMNS, 0.05f));
                PackedMatrix first = cases.placed(w);
                PackedMatrix copy = there.placed(w);
                for (int tokens = 1; tokens <= BUCKET; tokens++) {
                    Twin x = cases.floats(tokens, COLUMNS);
                    Twin y = cases.floats(tokens, 300);
                    Twin otherX = there.twin(x.plain());
                    Twin otherY = there.twin(y.plain());
                    kernels.matmul(first, null, x.tested(), tokens, y.tested());
                    second.matmul(copy, null, otherX.tested(), tokens, otherY.tested());
                    plain.matmul(w, null, x.plain(), tokens, y.plain());
                    cases.compare("%d tokens on the first".formatted(tokens), y);
                    there.compare("%d tokens on the second".formatted(tokens), otherY);
                }
            });
            return here.ok() ? there.finding(TWO_DEVICES) : here;
        }
    }
}
