package dev.troupe.wire.frame;

import dev.troupe.stage.CandidateRequest;
import dev.troupe.stage.Candidates;
import dev.troupe.stage.HandOff;
import dev.troupe.stage.Partial;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.TensorMessage;
import dev.troupe.tensor.Floats;
import dev.troupe.wire.kryo.WireCodec;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Messages to frames. A tensor larger than a frame is split by rows into pieces that are messages of their own; floats
 * are copied once, from the heap into the buffer that the socket reads. Thread-safe.
 */
public final class FrameEncoder {
    /** The largest message that is sent in several frames without being split, in bytes. */
    public static final int MAX_MESSAGE = 16 * 1024 * 1024;

    private static final ByteBuffer NO_METADATA = ByteBuffer.allocate(0).asReadOnlyBuffer();
    private static final Floats NO_VALUES = new Floats(0, 0, new float[0]);

    private final WireCodec codec;
    private final FramePool pool;
    private final int longest;

    /**
     * @param longest most bytes of a frame, header included
     */
    public FrameEncoder(WireCodec codec, FramePool pool, int longest) {
        this.codec = codec;
        this.pool = pool;
        this.longest = longest;
    }

    /**
     * The frames of {@code message}, sealed and ready to be written, in buffers of the pool.
     *
     * @throws IllegalArgumentException if the message cannot travel, or needs more than {@link #MAX_MESSAGE}
     */
    public List<ByteBuffer> encode(ShardId target, TensorMessage message) {
        Draft draft = switch (message) {
            case Partial partial ->
                new Draft(
                        FrameKind.PARTIAL,
                        target,
                        message,
                        NO_METADATA,
                        partial.values().floats());
            case HandOff handOff ->
                new Draft(
                        FrameKind.HAND_OFF,
                        target,
                        message,
                        ByteBuffer.wrap(codec.encode(withoutValues(handOff))),
                        handOff.values().floats());
            case Candidates _, CandidateRequest _ ->
                new Draft(FrameKind.OBJECT, target, message, ByteBuffer.wrap(codec.encode(message)), NO_VALUES);
        };
        List<ByteBuffer> frames = new ArrayList<>(1);
        int rows = draft.values().rows();
        int rowsEach = rowsOfAPiece(draft);
        int from = 0;
        do {
            int to = Math.min(rows, from + rowsEach);
            piece(draft, from, to, frames);
            from = to;
        } while (from < rows);
        return frames;
    }

    /** What all pieces of a message share. */
    private record Draft(FrameKind kind, ShardId target, TensorMessage message, ByteBuffer metadata, Floats values) {}

    private static HandOff withoutValues(HandOff handOff) {
        Floats none = new Floats(0, handOff.values().columns(), new float[0]);
        return new HandOff(handOff.batch(), handOff.failedTokens(), handOff.work(), handOff.firstRow(), none);
    }

    private int rowsOfAPiece(Draft draft) {
        int room = longest - FrameView.HEADER - draft.metadata().remaining();
        int bytesPerRow = Float.BYTES * draft.values().columns();
        return Math.max(1, bytesPerRow == 0 ? draft.values().rows() : room / bytesPerRow);
    }

    private void piece(Draft draft, int from, int to, List<ByteBuffer> frames) {
        long payload = draft.metadata().remaining()
                + (long) Float.BYTES * (to - from) * draft.values().columns();
        if (payload > MAX_MESSAGE) {
            throw new IllegalArgumentException("%s of %d bytes to %s: a message of the tensor lane has at most %d"
                    .formatted(draft.message().getClass().getSimpleName(), payload, draft.target(), MAX_MESSAGE));
        }
        if (FrameView.HEADER + payload <= longest) {
            ByteBuffer frame = pool.take(FrameView.HEADER + (int) payload);
            header(frame, draft, from, to, (byte) 0);
            fill(frame, draft, from, to);
            frames.add(seal(frame));
        } else {
            ByteBuffer whole = ByteBuffer.allocate(FrameView.HEADER + (int) payload);
            fill(whole, draft, from, to);
            inSeveralFrames(whole.position(FrameView.HEADER), draft, from, to, frames);
        }
    }

    private void inSeveralFrames(ByteBuffer payload, Draft draft, int from, int to, List<ByteBuffer> frames) {
        byte continues = 0;
        while (payload.hasRemaining()) {
            int part = Math.min(payload.remaining(), longest - FrameView.HEADER);
            byte more = part < payload.remaining() ? FrameView.MORE : 0;
            ByteBuffer frame = pool.take(FrameView.HEADER + part);
            header(frame, draft, from, to, (byte) (continues | more));
            frame.put(FrameView.HEADER, payload, payload.position(), part);
            payload.position(payload.position() + part);
            frames.add(seal(frame));
            continues = FrameView.CONTINUES;
        }
    }

    private static void fill(ByteBuffer frame, Draft draft, int from, int to) {
        frame.put(FrameView.HEADER, draft.metadata(), 0, draft.metadata().remaining());
        int floats = FrameView.HEADER + draft.metadata().remaining();
        MemorySegment rest = MemorySegment.ofBuffer(frame.slice(floats, frame.limit() - floats));
        draft.values().copyRowsTo(from, to, rest);
    }

    private static ByteBuffer seal(ByteBuffer frame) {
        frame.putInt(FrameView.AT_LENGTH, frame.limit() - FrameView.HEADER);
        new FrameView(frame, 0).seal();
        return frame.position(0);
    }

    private static void header(ByteBuffer frame, Draft draft, int from, int to, byte flags) {
        boolean hasValues = draft.kind() != FrameKind.OBJECT;
        frame.putInt(0, FrameView.MAGIC)
                .put(FrameView.AT_VERSION, FrameView.VERSION)
                .put(FrameView.AT_KIND, draft.kind().code)
                .put(FrameView.AT_DTYPE, hasValues ? FrameView.F32 : FrameView.NO_VALUES)
                .put(FrameView.AT_FLAGS, flags)
                .putInt(FrameView.AT_METADATA, draft.metadata().remaining())
                .putLong(FrameView.AT_ROUND, draft.target().epoch().round())
                .putLong(FrameView.AT_ISSUER, draft.target().epoch().issuer())
                .putLong(FrameView.AT_STEP, draft.message().step())
                .putInt(FrameView.AT_STAGE, draft.target().stage())
                .putInt(FrameView.AT_RANK, draft.target().rank())
                .putInt(FrameView.AT_ROWS, to - from)
                .putInt(FrameView.AT_COLUMNS, draft.values().columns());
        int firstRow = from;
        int exchange = 0;
        int fromRank = 0;
        int fromGroup = 0;
        int toGroup = 0;
        if (draft.message() instanceof Partial partial) {
            firstRow += partial.firstRow();
            exchange = partial.exchange();
            fromRank = partial.fromRank();
            fromGroup = partial.fromGroup();
            toGroup = partial.toGroup();
        } else if (draft.message() instanceof HandOff handOff) {
            firstRow += handOff.firstRow();
        }
        frame.putInt(FrameView.AT_FIRST_ROW, firstRow)
                .putInt(FrameView.AT_EXCHANGE, exchange)
                .putInt(FrameView.AT_FROM_RANK, fromRank)
                .putInt(FrameView.AT_FROM_GROUP, fromGroup)
                .putInt(FrameView.AT_TO_GROUP, toGroup);
    }
}
