package dev.troupe.kernel.cuda;

import dev.troupe.kernel.TokenFlags;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DeviceMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.Objects;

/** Marks in the memory of a GPU, an {@code int} for each token. */
final class CudaTokenFlags implements TokenFlags {
    private final CudaStream stream;
    private final CudaMemory memory;
    private final MemorySegment marks;
    private final int tokens;

    /** @param arena ends their life */
    CudaTokenFlags(CudaStream stream, CudaMemory memory, Arena arena, int tokens) {
        this.stream = stream;
        this.memory = memory;
        this.tokens = tokens;
        this.marks = memory.allocate(arena, 4L * tokens, DeviceMemory.Use.WORKSPACE);
    }

    /** Where kernels write a 1. */
    MemorySegment marks() {
        return marks;
    }

    @Override
    public void mark(int token) {
        Objects.checkIndex(token, tokens);
        memory.write(marks.asSlice(4L * token, 4), MemorySegment.ofArray(new int[] {1}));
    }

    @Override
    public void clear() {
        stream.fill(marks, (byte) 0);
    }

    @Override
    public BitSet marked() {
        int[] host = new int[tokens];
        memory.read(marks, MemorySegment.ofArray(host));
        BitSet marked = new BitSet();
        for (int t = 0; t < tokens; t++) {
            marked.set(t, host[t] != 0);
        }
        return marked;
    }
}
