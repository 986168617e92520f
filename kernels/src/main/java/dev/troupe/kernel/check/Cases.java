package dev.troupe.kernel.check;

import dev.troupe.kernel.Kernels;
import dev.troupe.kernel.PackedMatrix;
import dev.troupe.kernel.TokenFlags;
import dev.troupe.tensor.DType;
import dev.troupe.tensor.DeviceMemory;
import dev.troupe.tensor.Tensor;
import dev.troupe.weights.SyntheticWeights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** The cases of one operation: random operands for the plain loops and for the kernels under test, and what differs afterwards. */
final class Cases implements AutoCloseable {
    private final Kernels plain;
    private final Kernels tested;
    private final Random random;
    private final Arena arena = Arena.ofShared();
    private int count;
    private @Nullable String difference;

    /** @param seed of the operands */
    Cases(Kernels plain, Kernels tested, long seed) {
        this.plain = plain;
        this.tested = tested;
        this.random = new Random(seed);
    }

    /** The plain loops. */
    Kernels plain() {
        return plain;
    }

    /** The kernels under test. */
    Kernels tested() {
        return tested;
    }

    Random random() {
        return random;
    }

    /** Lives as long as the cases. */
    Arena arena() {
        return arena;
    }

    /** Compared until now. */
    int count() {
        return count;
    }

    /** Normal values, with zeros of both signs, subnormal and large ones among them. */
    Twin floats(int rows, int columns) {
        Tensor host = Tensor.floats(arena, rows, columns);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                host.set(
                        r,
                        c,
                        switch (random.nextInt(40)) {
                            case 0 -> random.nextBoolean() ? 0f : -0f;
                            case 1 -> (float) random.nextGaussian() * 1e-40f;
                            case 2 -> (float) random.nextGaussian() * 50;
                            default -> (float) random.nextGaussian();
                        });
            }
        }
        return twin(host);
    }

    /** A host tensor and a copy of it for the kernels under test, also where these run on the host. */
    Twin twin(Tensor host) {
        return new Twin(host, new Tensor(host.type(), host.rows(), host.columns(), copy(host.memory())));
    }

    private MemorySegment copy(MemorySegment host) {
        DeviceMemory memory = tested.memory();
        MemorySegment copied = memory.allocate(arena, host.byteSize(), DeviceMemory.Use.WORKSPACE);
        memory.write(copied, host);
        return copied;
    }

    /** Random weights in file layout, about as large as {@code spread}. */
    Tensor weights(DType type, int rows, int columns, float spread) {
        SyntheticWeights.Recipe recipe =
                SyntheticWeights.Recipe.of("weights", type, List.of((long) rows, (long) columns), 0, spread);
        try (SyntheticWeights source = new SyntheticWeights("self-test", random.nextLong(), List.of(recipe))) {
            return new Tensor(type, rows, columns, source.rows(recipe.tensor(), 0, rows, arena));
        }
    }

    /** A matrix where the kernels under test look for weights. */
    PackedMatrix placed(PackedMatrix matrix) {
        return matrix.placed(tested.memory(), arena);
    }

    /** A case is over: both tensors must have the same bits, also in rows that took no part. */
    void compare(String what, Twin twin) {
        Tensor wanted = twin.plain();
        compare(what, wanted.columns(), wanted.memory(), read(twin.tested().memory()));
    }

    /** The same of memory of the kernels under test, in words of 4 bytes, so many in a row. */
    void compareMemory(String what, int columns, MemorySegment wanted, MemorySegment got) {
        compare(what, columns, wanted, read(got));
    }

    private MemorySegment read(MemorySegment device) {
        MemorySegment host = arena.allocate(device.byteSize(), 64);
        tested.memory().read(device, host);
        return host;
    }

    private void compare(String what, int columns, MemorySegment wanted, MemorySegment got) {
        count++;
        long at = wanted.mismatch(got);
        if (at < 0 || difference != null) {
            return;
        }
        long words = wanted.byteSize() / 4;
        long differing = 0;
        for (long word = at / 4; word < words; word++) {
            differing += bits(wanted, word) == bits(got, word) ? 0 : 1;
        }
        int expected = bits(wanted, at / 4);
        int found = bits(got, at / 4);
        difference = "%s: row %d, column %d is %08x (%s), expected %08x (%s); %d of %d values differ"
                .formatted(
                        what,
                        at / 4 / columns,
                        at / 4 % columns,
                        found,
                        Float.intBitsToFloat(found),
                        expected,
                        Float.intBitsToFloat(expected),
                        differing,
                        words);
    }

    private static int bits(MemorySegment memory, long word) {
        return memory.get(ValueLayout.JAVA_INT_UNALIGNED, 4 * word);
    }

    /** A case is over: both have these values in a row. */
    void compare(String what, float[] wanted, float[] got) {
        compare(what, Math.max(1, wanted.length), MemorySegment.ofArray(wanted), MemorySegment.ofArray(got));
    }

    /** A case is over: both have found these columns. */
    void compare(String what, int[] wanted, int[] got) {
        count++;
        int at = Arrays.mismatch(wanted, got);
        if (at >= 0 && difference == null) {
            difference = "%s: place %d is column %d, expected %d".formatted(what, at, got[at], wanted[at]);
        }
    }

    /** A case is over: both have marked these tokens. */
    void compare(String what, TokenFlags wanted, TokenFlags got) {
        count++;
        if (!wanted.marked().equals(got.marked()) && difference == null) {
            difference = "%s: tokens %s are marked, expected %s".formatted(what, got.marked(), wanted.marked());
        }
    }

    /** What was found. */
    Finding finding(String operation) {
        return new Finding(operation, count, difference, false);
    }

    @Override
    public void close() {
        arena.close();
    }
}
