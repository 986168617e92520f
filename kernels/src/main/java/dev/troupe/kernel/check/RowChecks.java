package dev.troupe.kernel.check;

import dev.troupe.kernel.TokenFlags;
import dev.troupe.tensor.Tensor;
import java.util.function.ObjIntConsumer;

/** The checks of operations that take rows by themselves. */
final class RowChecks {
    private static final int ROWS = 4;

    /** Rows that take part; the others must stay as they are. */
    private static final int TOKENS = 3;

    private static final float EPSILON = 1e-5f;

    private RowChecks() {}

    private static void widths(Cases cases, SelfTest.Extent extent, ObjIntConsumer<Cases> check) {
        for (int width : new int[] {1, 33, 2049}) {
            check.accept(cases, width);
        }
        if (extent == SelfTest.Extent.FULL) {
            check.accept(cases, 14_336);
        }
    }

    static void rmsNorm(Cases all, SelfTest.Extent extent) {
        widths(all, extent, (cases, n) -> {
            Twin x = cases.floats(ROWS, n);
            Twin w = cases.floats(1, n);
            Twin y = cases.floats(ROWS, n);
            cases.plain().rmsNorm(x.plain(), w.plain(), EPSILON, TOKENS, y.plain());
            cases.tested().rmsNorm(x.tested(), w.tested(), EPSILON, TOKENS, y.tested());
            cases.compare("rows of %d".formatted(n), y);
        });
    }

    static void addRmsNorm(Cases all, SelfTest.Extent extent) {
        widths(all, extent, (cases, n) -> {
            Twin residual = cases.floats(ROWS, n);
            Twin x = cases.floats(ROWS, n);
            Twin w = cases.floats(1, n);
            Twin y = cases.floats(ROWS, n);
            cases.plain().addRmsNorm(residual.plain(), x.plain(), w.plain(), EPSILON, TOKENS, y.plain());
            cases.tested().addRmsNorm(residual.tested(), x.tested(), w.tested(), EPSILON, TOKENS, y.tested());
            cases.compare("residual of rows of %d".formatted(n), residual);
            cases.compare("rows of %d".formatted(n), y);
        });
    }

    static void rmsNormHeads(Cases cases) {
        for (int headDim : new int[] {16, 24, 80, 128, 256}) {
            Twin x = cases.floats(ROWS, 5 * headDim + 3);
            Twin w = cases.floats(1, headDim);
            cases.plain().rmsNormHeads(x.plain(), headDim, 4, w.plain(), EPSILON, TOKENS);
            cases.tested().rmsNormHeads(x.tested(), headDim, 4, w.tested(), EPSILON, TOKENS);
            cases.compare("heads of %d".formatted(headDim), x);
        }
    }

    /** Gates where exp is 0, infinite and between. */
    static void swiglu(Cases all, SelfTest.Extent extent) {
        float[] gates = {0f, -0f, 1e-40f, 86.9f, 87.1f, -88.7f, -88.8f, 100f, -100f, 1e30f, -1e30f};
        widths(all, extent, (cases, n) -> {
            Tensor host = cases.floats(ROWS, 2 * n).plain();
            for (int i = 0; i < Math.min(n, gates.length); i++) {
                host.set(1, i, gates[i]);
            }
            Twin gateUp = cases.twin(host);
            Twin y = cases.floats(ROWS, n);
            cases.plain().swiglu(gateUp.plain(), TOKENS, y.plain());
            cases.tested().swiglu(gateUp.tested(), TOKENS, y.tested());
            cases.compare("rows of %d".formatted(n), y);
        });
    }

    static void add(Cases all, SelfTest.Extent extent) {
        widths(all, extent, (cases, n) -> {
            Twin a = cases.floats(ROWS, n);
            Twin b = cases.floats(ROWS, n);
            cases.plain().add(a.plain(), b.plain(), TOKENS);
            cases.tested().add(a.tested(), b.tested(), TOKENS);
            cases.compare("rows of %d".formatted(n), a);
        });
    }

    static void addBias(Cases all, SelfTest.Extent extent) {
        widths(all, extent, (cases, n) -> {
            Twin a = cases.floats(ROWS, n);
            Twin bias = cases.floats(1, n);
            cases.plain().addBias(a.plain(), bias.plain(), TOKENS);
            cases.tested().addBias(a.tested(), bias.tested(), TOKENS);
            cases.compare("rows of %d".formatted(n), a);
        });
    }

    static void gatherRows(Cases all, SelfTest.Extent extent) {
        widths(all, extent, (cases, n) -> {
            Twin x = cases.floats(ROWS, n);
            for (int[] rows : new int[][] {{3, 0, 0}, {2}, {1, 3}}) {
                Twin y = cases.floats(ROWS, n);
                cases.plain().gatherRows(x.plain(), rows, y.plain());
                cases.tested().gatherRows(x.tested(), rows, y.tested());
                cases.compare("%d rows of %d".formatted(rows.length, n), y);
            }
        });
    }

    /** To another tensor, and in place. */
    static void softmax(Cases all, SelfTest.Extent extent) {
        widths(all, extent, (cases, n) -> {
            Twin x = cases.floats(ROWS, n);
            Twin y = cases.floats(ROWS, n);
            cases.plain().softmax(x.plain(), TOKENS, y.plain());
            cases.tested().softmax(x.tested(), TOKENS, y.tested());
            cases.compare("rows of %d".formatted(n), y);
            cases.plain().softmax(x.plain(), TOKENS, x.plain());
            cases.tested().softmax(x.tested(), TOKENS, x.tested());
            cases.compare("rows of %d, in place".formatted(n), x);
        });
    }

    static void argmax(Cases all, SelfTest.Extent extent) {
        widths(all, extent, (cases, n) -> {
            Twin x = coarse(cases, n);
            for (int tokens : new int[] {1, TOKENS, ROWS}) {
                int[] wanted = new int[tokens];
                int[] got = new int[tokens];
                cases.plain().argmax(x.plain(), tokens, wanted);
                cases.tested().argmax(x.tested(), tokens, got);
                cases.compare("%d rows of %d".formatted(tokens, n), wanted, got);
            }
        });
    }

    static void topK(Cases all, SelfTest.Extent extent) {
        widths(all, extent, (cases, n) -> {
            Twin x = coarse(cases, n);
            for (int k : new int[] {1, 8, 40}) {
                int[] wanted = new int[Math.min(k, n)];
                int[] got = new int[wanted.length];
                cases.plain().topK(x.plain(), 2, wanted);
                cases.tested().topK(x.tested(), 2, got);
                cases.compare("%d of %d".formatted(wanted.length, n), wanted, got);
            }
        });
    }

    /** Few different values, so that there are ties. */
    private static Twin coarse(Cases cases, int n) {
        Tensor host = Tensor.floats(cases.arena(), ROWS, n);
        for (int r = 0; r < ROWS; r++) {
            for (int c = 0; c < n; c++) {
                host.set(r, c, Math.round((float) cases.random().nextGaussian() * 20) * 0.25f);
            }
        }
        return cases.twin(host);
    }

    static void markNonFinite(Cases all, SelfTest.Extent extent) {
        widths(all, extent, (cases, n) -> {
            TokenFlags wanted = cases.plain().flags(cases.arena(), ROWS);
            TokenFlags got = cases.tested().flags(cases.arena(), ROWS);
            mark(cases, notFinite(cases, n), wanted, got);
            cases.compare("rows of %d".formatted(n), wanted, got);
        });
    }

    static void poisonRows(Cases all, SelfTest.Extent extent) {
        widths(all, extent, (cases, n) -> {
            TokenFlags plain = cases.plain().flags(cases.arena(), ROWS);
            TokenFlags tested = cases.tested().flags(cases.arena(), ROWS);
            mark(cases, notFinite(cases, n), plain, tested);
            Twin sums = cases.floats(ROWS, n);
            cases.plain().poisonRows(sums.plain(), TOKENS, plain);
            cases.tested().poisonRows(sums.tested(), TOKENS, tested);
            cases.compare("rows of %d".formatted(n), sums);
        });
    }

    private static Twin notFinite(Cases cases, int n) {
        Tensor host = cases.floats(ROWS, n).plain();
        host.set(0, 0, Float.MAX_VALUE);
        host.set(1, n - 1, Float.NaN);
        host.set(2, n / 2, Float.NEGATIVE_INFINITY);
        host.set(3, 0, Float.NaN); // takes no part
        return cases.twin(host);
    }

    private static void mark(Cases cases, Twin x, TokenFlags plain, TokenFlags tested) {
        tested.clear();
        cases.plain().markNonFinite(x.plain(), TOKENS, plain);
        cases.tested().markNonFinite(x.tested(), TOKENS, tested);
    }
}
