package dev.troupe.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** How fast this machine multiplies and adds f32: the ceiling beside every prefill number. */
public final class ArithmeticCeiling {
    private static final VectorSpecies<Float> LANES = FloatVector.SPECIES_PREFERRED;

    /** Chains that do not wait for each other: more than latency times units of any core. */
    private static final int CHAINS = 12;

    private static final int ROUNDS = 1 << 14;
    private static final int CALLS = 64;

    /** Written so that nothing can be optimised away. */
    @SuppressWarnings("UnusedVariable")
    private static volatile float sink;

    private ArithmeticCeiling() {}

    /**
     * Fused multiply-adds in registers, with all of {@code threads} threads at the same time.
     *
     * @param passes timed passes after two that warm up
     * @return median operations per second over the passes, a fused multiply-add counted as two
     */
    public static double flopsPerSecond(int threads, int passes) {
        if (threads < 1 || passes < 1) {
            throw new IllegalArgumentException("threads=%d, passes=%d".formatted(threads, passes));
        }
        double seconds = CeilingRun.medianSeconds(threads, passes, _ -> {
            for (int call = 0; call < CALLS; call++) {
                sink = chains(ROUNDS);
            }
        });
        return 2.0 * LANES.length() * CHAINS * ROUNDS * CALLS * threads / seconds;
    }

    private static float chains(int rounds) {
        FloatVector x = FloatVector.broadcast(LANES, 0.999f);
        FloatVector y = FloatVector.broadcast(LANES, 0.001f);
        FloatVector a = y;
        FloatVector b = y;
        FloatVector c = y;
        FloatVector d = y;
        FloatVector e = y;
        FloatVector f = y;
        FloatVector g = y;
        FloatVector h = y;
        FloatVector i = y;
        FloatVector j = y;
        FloatVector k = y;
        FloatVector l = y;
        for (int round = 0; round < rounds; round++) {
            a = a.fma(x, y);
            b = b.fma(x, y);
            c = c.fma(x, y);
            d = d.fma(x, y);
            e = e.fma(x, y);
            f = f.fma(x, y);
            g = g.fma(x, y);
            h = h.fma(x, y);
            i = i.fma(x, y);
            j = j.fma(x, y);
            k = k.fma(x, y);
            l = l.fma(x, y);
        }
        return a.add(b)
                .add(c)
                .add(d)
                .add(e)
                .add(f)
                .add(g)
                .add(h)
                .add(i)
                .add(j)
                .add(k)
                .add(l)
                .lane(0);
    }
}
