package dev.troupe.model.decoder;

import dev.troupe.kernel.ChunkedMatrix;
import dev.troupe.kernel.DevicePacker;
import dev.troupe.kernel.MatrixPacker;
import dev.troupe.kernel.ReductionChunks;
import dev.troupe.kernel.StackedMatrix;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import dev.troupe.weights.LoadProgress;
import dev.troupe.weights.RowCheck;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightSource;
import dev.troupe.weights.WeightTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Reads tensors of a checkpoint, checks them, and lays them out for the kernels. Safe for use by several threads. */
final class TensorReader {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final WeightSource source;
    private final RowCheck check;
    private final DeviceMemory memory;
    private final Arena arena;
    private final LoadProgress progress;
    private final long bytesTotal;
    private long bytesDone;

    /**
     * @param memory where what is made lies
     * @param arena owns it
     */
    TensorReader(
            WeightSource source,
            RowCheck check,
            DeviceMemory memory,
            Arena arena,
            LoadProgress progress,
            long bytesTotal) {
        this.source = source;
        this.check = check;
        this.memory = memory;
        this.arena = arena;
        this.progress = progress;
        this.bytesTotal = bytesTotal;
    }

    /** Rows {@code [from, to)} of a matrix, or elements of a vector. */
    record Part(String name, int from, int to) {}

    /** The parts below each other, all their columns, packed: neighbours of one type as one matrix. */
    StackedMatrix packRows(List<Part> parts) throws WeightFormatException {
        try (Arena scratch = Arena.ofConfined()) {
            List<List<MatrixPacker.Rows>> alike = new ArrayList<>();
            long bytes = 0;
            for (Part part : parts) {
                Tensor tensor = read(part, scratch);
                bytes += tensor.memory().byteSize();
                if (alike.isEmpty() || alike.getLast().getFirst().source().type() != tensor.type()) {
                    alike.add(new ArrayList<>());
                }
                alike.getLast().add(MatrixPacker.Rows.of(tensor));
            }
            DevicePacker packer = new DevicePacker(memory, arena, scratch);
            StackedMatrix packed =
                    new StackedMatrix(alike.stream().map(packer::pack).toList());
            advance(bytes);
            return packed;
        } catch (IllegalArgumentException e) {
            throw unusable(parts.stream().map(Part::name).collect(Collectors.joining("', '")), e);
        }
    }

    /** The columns of groups {@code [fromGroup, toGroup)} of a row-parallel matrix, packed in its chunks. */
    ChunkedMatrix packColumns(String name, ReductionChunks chunks, int fromGroup, int toGroup)
            throws WeightFormatException {
        try (Arena scratch = Arena.ofConfined()) {
            Tensor matrix =
                    read(new Part(name, 0, Math.toIntExact(source.require(name).rows())), scratch);
            ChunkedMatrix packed =
                    new DevicePacker(memory, arena, scratch).packChunks(matrix, chunks, fromGroup, toGroup);
            long columns = chunks.columns(fromGroup, toGroup);
            advance(matrix.memory().byteSize() * columns / Math.max(1, matrix.columns()));
            return packed;
        } catch (IllegalArgumentException e) {
            throw unusable(name, e);
        }
    }

    /** Elements of vectors, one behind the other, widened to f32: {@code [1, n]}. */
    Tensor vector(List<Part> parts) throws WeightFormatException {
        int size = parts.stream().mapToInt(part -> part.to() - part.from()).sum();
        Tensor vector = memory.floats(arena, 1, size);
        try (Arena scratch = Arena.ofConfined()) {
            Tensor values = memory.isHost() ? vector : Tensor.floats(scratch, 1, size);
            int at = 0;
            for (Part part : parts) {
                WeightTensor tensor = source.require(part.name());
                check.check(tensor, 0, 1);
                MemorySegment bytes = source.rows(tensor, 0, 1, scratch);
                DType type = requireType(tensor);
                for (int i = part.from(); i < part.to(); i++) {
                    values.set(0, at++, element(tensor, type, bytes, i));
                }
            }
            if (!memory.isHost()) {
                memory.write(vector.memory(), values.memory());
            }
        }
        return vector;
    }

    /** A whole matrix as it lies in the source: mapped from a file, not copied, on the host. */
    Tensor whole(String name) throws WeightFormatException {
        WeightTensor tensor = source.require(name);
        check.check(tensor, 0, tensor.rows());
        return tensor(tensor, Math.toIntExact(tensor.rows()), source.bytes(tensor, arena));
    }

    private Tensor read(Part part, Arena scratch) throws WeightFormatException {
        WeightTensor tensor = source.require(part.name());
        check.check(tensor, part.from(), part.to());
        return tensor(tensor, part.to() - part.from(), source.rows(tensor, part.from(), part.to(), scratch));
    }

    private static Tensor tensor(WeightTensor tensor, int rows, MemorySegment bytes) throws WeightFormatException {
        return new Tensor(
                requireType(tensor), rows, Math.toIntExact(tensor.shape().getLast()), bytes);
    }

    private static float element(WeightTensor tensor, DType type, MemorySegment bytes, int index)
            throws WeightFormatException {
        return switch (type) {
            case F32 -> bytes.get(FLOAT, 4L * index);
            case BF16 -> Float.intBitsToFloat(bytes.get(SHORT, 2L * index) << 16);
            case F16 -> Float.float16ToFloat(bytes.get(SHORT, 2L * index));
            default ->
                throw new WeightFormatException("%s: tensor '%s' is a vector of type %s; expected f32, bf16 or f16"
                        .formatted(tensor.file(), tensor.name(), type.label()));
        };
    }

    private static DType requireType(WeightTensor tensor) throws WeightFormatException {
        DType type = tensor.type();
        if (type == null) {
            throw new WeightFormatException("%s: tensor '%s' has dtype %s, which no kernel computes with"
                    .formatted(tensor.file(), tensor.name(), tensor.typeName()));
        }
        return type;
    }

    private WeightFormatException unusable(String names, IllegalArgumentException cause) {
        return new WeightFormatException(
                "%s: tensor '%s': %s".formatted(source.description(), names, cause.getMessage()), cause);
    }

    private synchronized void advance(long bytes) {
        bytesDone += bytes;
        progress.at(bytesDone, bytesTotal);
    }
}
