package dev.troupe.kernel;

import dev.troupe.kernel.MatrixPacker.Rows;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The repacker of {@link MatrixPacker} for the memory of a device. Where that is not the host's, some groups of rows at a time are packed on
 * the host and written, so that the host needs a few megabytes, whatever the size of a matrix. For one thread.
 */
public final class DevicePacker {
    /** Of the host's memory, unless one group of rows needs more. */
    static final long PIECE_BYTES = 8 << 20;

    private final DeviceMemory memory;
    private final Arena arena;
    private final Arena scratch;
    private final long pieceBytes;
    private MemorySegment piece = MemorySegment.NULL;

    /**
     * @param memory where packed matrices lie
     * @param arena owns them
     * @param scratch owns what is needed meanwhile
     */
    public DevicePacker(DeviceMemory memory, Arena arena, Arena scratch) {
        this(memory, arena, scratch, PIECE_BYTES);
    }

    DevicePacker(DeviceMemory memory, Arena arena, Arena scratch, long pieceBytes) {
        this.memory = memory;
        this.arena = arena;
        this.scratch = scratch;
        this.pieceBytes = pieceBytes;
    }

    /** Packs all columns of {@code parts}, one below the other, as {@link MatrixPacker#pack(Arena, List)} does. */
    public PackedMatrix pack(List<Rows> parts) {
        return pack(parts, 0, parts.getFirst().source().columns(), 0);
    }

    /** Packs a rank's share of a row-parallel matrix, as {@link MatrixPacker#packChunks} does. */
    public ChunkedMatrix packChunks(Tensor source, ReductionChunks chunks, int fromGroup, int toGroup) {
        return MatrixPacker.packChunks(source, chunks, fromGroup, toGroup, this::pack);
    }

    private PackedMatrix pack(List<Rows> parts, int fromColumn, int toColumn, int firstColumn) {
        if (memory.isHost()) {
            return MatrixPacker.pack(arena, parts, fromColumn, toColumn, firstColumn);
        }
        PackedMatrix packed = MatrixPacker.place(
                parts,
                fromColumn,
                toColumn,
                firstColumn,
                bytes -> memory.allocate(arena, bytes, DeviceMemory.Use.WEIGHTS));
        int groups = Math.clamp(pieceBytes / Math.max(1, packed.groupBytes()), 1, Math.max(1, packed.groups()));
        for (int group = 0; group < packed.groups(); group += groups) {
            int from = group * PackedMatrix.GROUP_ROWS;
            int to = Math.min(packed.rows(), from + groups * PackedMatrix.GROUP_ROWS);
            long bytes = packed.groupBytes() * Math.ceilDiv(to - from, PackedMatrix.GROUP_ROWS);
            MemorySegment room = piece(bytes + MatrixPacker.PADDING).fill((byte) 0);
            MatrixPacker.fill(
                    new PackedMatrix(packed.type(), to - from, firstColumn, packed.pieces(), room),
                    between(parts, from, to),
                    fromColumn);
            memory.write(packed.memory().asSlice(group * packed.groupBytes()), room.asSlice(0, bytes));
        }
        return packed;
    }

    private MemorySegment piece(long bytes) {
        if (piece.byteSize() < bytes) {
            piece = scratch.allocate(bytes, MatrixPacker.PADDING);
        }
        return piece.asSlice(0, bytes);
    }

    /** Rows {@code [from, to)} of all parts below each other. */
    private static List<Rows> between(List<Rows> parts, int from, int to) {
        List<Rows> found = new ArrayList<>();
        int first = 0;
        for (Rows part : parts) {
            int start = Math.max(from, first);
            int end = Math.min(to, first + part.count());
            if (start < end) {
                found.add(new Rows(part.source(), part.fromRow() + start - first, part.fromRow() + end - first));
            }
            first += part.count();
        }
        return found;
    }
}
