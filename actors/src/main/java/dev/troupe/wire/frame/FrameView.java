package dev.troupe.wire.frame;

import dev.troupe.stage.Epoch;
import dev.troupe.stage.ShardId;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * One frame in a buffer: a header of 80 bytes, then metadata, then rows of f32. All numbers are little-endian.
 *
 * <pre>
 *  0 magic        4 version 5 kind 6 dtype 7 flags    8 length of what follows the header   12 length of the metadata
 * 16 round       24 issuer                           32 step
 * 40 stage       44 rank: whom it is for             48 exchange     52 sender's rank
 * 56 from group  60 to group                         64 first row    68 rows   72 columns
 * 76 CRC32C of bytes 0 to 75 and all that follow the header
 * </pre>
 *
 * A message larger than a frame goes on in the next ones, with the same header but for flags and length; the lengths of
 * metadata and rows are always those of the whole message.
 */
final class FrameView {
    static final int HEADER = 80;
    static final int MAGIC = 0x45505254; // "TRPE"
    static final byte VERSION = 1;
    static final byte NO_VALUES = 0;
    static final byte F32 = 1;

    /** Flag: the message goes on in the next frame that has {@link #CONTINUES}. */
    static final byte MORE = 1;

    /** Flag: this frame goes on with a message that has begun. */
    static final byte CONTINUES = 2;

    static final int AT_VERSION = 4;
    static final int AT_KIND = 5;
    static final int AT_DTYPE = 6;
    static final int AT_FLAGS = 7;
    static final int AT_LENGTH = 8;
    static final int AT_METADATA = 12;
    static final int AT_ROUND = 16;
    static final int AT_ISSUER = 24;
    static final int AT_STEP = 32;
    static final int AT_STAGE = 40;
    static final int AT_RANK = 44;
    static final int AT_EXCHANGE = 48;
    static final int AT_FROM_RANK = 52;
    static final int AT_FROM_GROUP = 56;
    static final int AT_TO_GROUP = 60;
    static final int AT_FIRST_ROW = 64;
    static final int AT_ROWS = 68;
    static final int AT_COLUMNS = 72;
    static final int AT_CRC = 76;

    final ByteBuffer buffer;
    final int start;

    /** The frame that starts at {@code start} in {@code buffer}, which must be little-endian. */
    FrameView(ByteBuffer buffer, int start) {
        this.buffer = buffer;
        this.start = start;
    }

    /**
     * Whether a whole frame lies between the position and the limit of {@code in}. What cannot become one is refused as
     * early as possible, in particular before waiting, or making room, for a length that is too large.
     *
     * @param longest most bytes of a frame, header included
     * @throws FrameException if no frame of this lane starts here
     */
    static boolean isWhole(ByteBuffer in, int longest) throws FrameException {
        int start = in.position();
        if (in.remaining() < Integer.BYTES) {
            return false;
        }
        if (in.getInt(start) != MAGIC) {
            throw new FrameException(
                    FrameException.Fault.MALFORMED,
                    "starts with 0x%08x, expected 0x%08x".formatted(in.getInt(start), MAGIC));
        }
        if (in.remaining() < AT_METADATA) {
            return false;
        }
        if (in.get(start + AT_VERSION) != VERSION) {
            throw new FrameException(
                    FrameException.Fault.VERSION,
                    "version %d of the tensor lane, this node speaks %d: run the same version of Troupe on all nodes"
                            .formatted(in.get(start + AT_VERSION), VERSION));
        }
        int length = in.getInt(start + AT_LENGTH);
        if (length < 0 || length > longest - HEADER) {
            throw new FrameException(
                    FrameException.Fault.MALFORMED, "length=%d, expected 0 to %d".formatted(length, longest - HEADER));
        }
        return in.remaining() >= HEADER + length;
    }

    /**
     * Checks the checksum of a whole frame.
     *
     * @throws FrameException if it does not match
     */
    void requireIntact() throws FrameException {
        int expected = buffer.getInt(start + AT_CRC);
        int actual = checksum();
        if (actual != expected) {
            throw new FrameException(
                    FrameException.Fault.CHECKSUM,
                    "CRC32C=%08x, the frame says %08x: bytes changed on their way".formatted(actual, expected));
        }
    }

    /** Writes the checksum; the last thing done to a frame. */
    void seal() {
        buffer.putInt(start + AT_CRC, checksum());
    }

    private int checksum() {
        CRC32C crc = new CRC32C();
        ByteBuffer bytes = buffer.duplicate();
        crc.update(bytes.limit(start + AT_CRC).position(start));
        crc.update(bytes.limit(start + HEADER + length()).position(start + HEADER));
        return (int) crc.getValue();
    }

    FrameKind kind() throws FrameException {
        return FrameKind.of(buffer.get(start + AT_KIND));
    }

    boolean has(byte flag) {
        return (buffer.get(start + AT_FLAGS) & flag) != 0;
    }

    int length() {
        return buffer.getInt(start + AT_LENGTH);
    }

    int metadata() {
        return buffer.getInt(start + AT_METADATA);
    }

    byte dtype() {
        return buffer.get(start + AT_DTYPE);
    }

    ShardId target() {
        Epoch epoch = new Epoch(buffer.getLong(start + AT_ROUND), buffer.getLong(start + AT_ISSUER));
        return new ShardId(epoch, integer(AT_STAGE), integer(AT_RANK));
    }

    long step() {
        return buffer.getLong(start + AT_STEP);
    }

    int rows() {
        return integer(AT_ROWS);
    }

    int columns() {
        return integer(AT_COLUMNS);
    }

    int integer(int field) {
        return buffer.getInt(start + field);
    }

    /** What follows the header. */
    ByteBuffer payload() {
        return buffer.slice(start + HEADER, length()).order(ByteOrder.LITTLE_ENDIAN);
    }
}
