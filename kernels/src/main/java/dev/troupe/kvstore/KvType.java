package dev.troupe.kvstore;

/** How cached keys and values are stored; part of the numerics id. */
public enum KvType {
    F32("f32", 4),
    F16("f16", 2);

    private final String label;
    private final int bytes;

    KvType(String label, int bytes) {
        this.label = label;
        this.bytes = bytes;
    }

    /** Lower-case name as users write it. */
    public String label() {
        return label;
    }

    /** Bytes of one element. */
    public int bytes() {
        return bytes;
    }
}
