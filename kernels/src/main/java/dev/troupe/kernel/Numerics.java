package dev.troupe.kernel;

import java.util.Locale;

/** What arithmetic promises: {@code troupe.numerics}. */
public enum Numerics {
    /** The bits of the plain loops, on every device. */
    EXACT,
    /**
     * Sums of products may be added in another order where a device is much faster so: those of bf16 and f16 weights on the tensor cores of
     * a GPU. Their accuracy is stated in docs/numerics.md. Elsewhere the same as exact.
     */
    FAST;

    /** Lower-case name as users write it. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
