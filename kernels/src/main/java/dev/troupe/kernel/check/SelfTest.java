package dev.troupe.kernel.check;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.reference.ReferenceKernels;
import dev.troupe.kvstore.KvType;
import dev.troupe.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Every operation of {@link Kernels} against the plain loops on this machine, by raw bits: what a device must pass before a number or
 * a token of it means anything.
 */
public final class SelfTest {
    private static final long SEED = 20;

    /** How large the shapes are that are tried. */
    public enum Extent {
        /** Small shapes, every path. */
        QUICK,
        /** Also shapes as large as those of real models: seconds of plain loops for each operation. */
        FULL
    }

    /**
     * What is tried.
     *
     * @param extent how large
     * @param only operations whose names begin so; empty for all
     */
    public record Plan(Extent extent, String only) {
        /** Everything. */
        public static Plan of(Extent extent) {
            return new Plan(extent, "");
        }

        boolean has(String operation) {
            return operation.startsWith(only);
        }
    }

    private record Check(String operation, Consumer<Cases> body) {}

    private SelfTest() {}

    /**
     * Runs the checks of a plan. Kernels of a device that does not compute any more are left alone after that.
     *
     * @param each is told of every finding at once
     * @return findings, one for every operation and type
     */
    public static List<Finding> run(Kernels tested, Plan plan, Consumer<Finding> each) {
        List<Finding> findings = new ArrayList<>();
        try (Kernels plain = new ReferenceKernels()) {
            for (Check check : checks(tested, plan.extent())) {
                if (!plan.has(check.operation())) {
                    continue;
                }
                Finding finding = run(check.operation(), new Cases(plain, tested, SEED), check.body());
                findings.add(finding);
                each.accept(finding);
                if (finding.stopped() && !tested.memory().isHost()) {
                    break;
                }
            }
        }
        return List.copyOf(findings);
    }

    /** Runs one check, whose cases end with it. */
    static Finding run(String operation, Cases cases, Consumer<Cases> body) {
        try (cases) {
            body.accept(cases);
            return cases.finding(operation);
        } catch (RuntimeException | OutOfMemoryError e) {
            return Finding.stopped(operation, cases.count(), e);
        }
    }

    private static List<Check> checks(Kernels tested, Extent extent) {
        List<Check> checks = new ArrayList<>();
        checks.add(new Check("memory", TokenChecks::memory));
        for (DType type : DType.values()) {
            checks.add(new Check("matmul " + type.label(), cases -> ProductChecks.matmul(cases, type, extent)));
        }
        checks.add(new Check("matmul of mixed types", ProductChecks::stacked));
        for (DType type : DType.values()) {
            checks.add(new Check(
                    "matmulChunks " + type.label(), cases -> ProductChecks.matmulChunks(cases, type, extent)));
        }
        for (DType type : DType.values()) {
            checks.add(new Check("embed " + type.label(), cases -> TokenChecks.embed(cases, type)));
        }
        checks.add(new Check("rmsNorm", cases -> RowChecks.rmsNorm(cases, extent)));
        checks.add(new Check("addRmsNorm", cases -> RowChecks.addRmsNorm(cases, extent)));
        checks.add(new Check("rmsNormHeads", RowChecks::rmsNormHeads));
        checks.add(new Check("rope", TokenChecks::rope));
        for (KvType type : KvType.values()) {
            checks.add(new Check("storeKv " + type.label(), cases -> CacheChecks.storeKv(cases, type)));
        }
        for (KvType type : KvType.values()) {
            checks.add(new Check("attention " + type.label(), cases -> CacheChecks.attention(cases, type, extent)));
        }
        for (KvType type : KvType.values()) {
            checks.add(new Check("blockCopies " + type.label(), cases -> CacheChecks.blockCopies(cases, type)));
        }
        checks.add(new Check("swiglu", cases -> RowChecks.swiglu(cases, extent)));
        checks.add(new Check("add", cases -> RowChecks.add(cases, extent)));
        checks.add(new Check("addBias", cases -> RowChecks.addBias(cases, extent)));
        checks.add(new Check("gatherRows", cases -> RowChecks.gatherRows(cases, extent)));
        checks.add(new Check("softmax", cases -> RowChecks.softmax(cases, extent)));
        checks.add(new Check("argmax", cases -> RowChecks.argmax(cases, extent)));
        checks.add(new Check("topK", cases -> RowChecks.topK(cases, extent)));
        checks.add(new Check("markNonFinite", cases -> RowChecks.markNonFinite(cases, extent)));
        checks.add(new Check("poisonRows", cases -> RowChecks.poisonRows(cases, extent)));
        if (tested.rowSearch() != null) {
            checks.add(new Check("candidates", SearchChecks::candidates));
        }
        return checks;
    }
}
