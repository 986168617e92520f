package dev.troupe.kernel.vector.lanes;

/** The vector width that a user forces; it can be read without the Vector API. */
public final class VectorWidth {
    /** System property with the bits: 128, 256 or 512. */
    public static final String PROPERTY = "troupe.vector-bits";

    private VectorWidth() {}

    /**
     * The forced width in bits, or 0.
     *
     * @throws IllegalArgumentException if the property is there but none of the widths
     */
    public static int forced() {
        String bits = System.getProperty(PROPERTY);
        if (bits == null) {
            return 0;
        }
        return switch (bits.strip()) {
            case "128" -> 128;
            case "256" -> 256;
            case "512" -> 512;
            default ->
                throw new IllegalArgumentException(
                        "%s=%s does not work; these do: 128, 256, 512".formatted(PROPERTY, bits));
        };
    }
}
