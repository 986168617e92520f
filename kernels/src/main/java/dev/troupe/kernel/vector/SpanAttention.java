package dev.troupe.kernel.vector;

/** One worker's attention of a token over one span, for some neighbouring KV heads, with keys and values as they are packed. */
abstract class SpanAttention implements AutoCloseable {
    static final int SPAN = AttentionTiles.SPAN;

    final AttentionCall call;
    final Scratch scratch = new Scratch();

    SpanAttention(AttentionCall call) {
        this.call = call;
    }

    /**
     * Attends.
     *
     * @param start position of the span's first token
     * @param from first visible token of the span
     * @param to one after the last
     * @param next address of keys that are probably read next
     * @param maxima gets f32 {@code [kvHeads][perGroup]}
     * @param denominators gets f32 {@code [kvHeads][perGroup]}
     * @param outputs gets f32 {@code [kvHeads][perGroup][paddedHeadDim]}
     */
    abstract void attend(
            int token,
            int start,
            int from,
            int to,
            int firstHead,
            int kvHeads,
            long next,
            long maxima,
            long denominators,
            long outputs);

    @Override
    public void close() {
        scratch.close();
    }
}
