package dev.troupe.kernel.cuda;

import dev.troupe.kernel.cuda.driver.CudaDevice;
import dev.troupe.kernel.cuda.driver.CudaKernel;
import dev.troupe.kernel.cuda.driver.CudaModule;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.tensor.DeviceMemory.Use;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What a GPU can do at most, measured by kernels that do nothing else: the ceilings beside the numbers of its other kernels.
 *
 * @param readBytes bytes a second that it reads from its memory
 * @param copyBytes bytes a second of copies inside its memory, a byte that is read and written counted twice
 * @param flops f32 operations a second on ordinary cores, a fused multiply-add counted as two
 * @param dots operations a second of eight-bit dot products (dp4a) on ordinary cores, a product and its addition counted as two;
 *     those of tensor cores may pass it
 */
public record DeviceCeilings(double readBytes, double copyBytes, double flops, double dots) {
    /** Blocks for each unit: as many threads as it holds. */
    private static final int BLOCKS = 8;

    private static final int WARP = 32;
    private static final int WORD = 16;

    /** Of every thread in a round: chains, steps. */
    private static final long STEPS = 8 * 16;

    /** A product and its addition, of four bytes at once. */
    private static final long DOT_OPERATIONS = 8;

    /**
     * How much is done for one measurement.
     *
     * @param bytes to read, and to copy; far more than the device's caches hold
     * @param rounds of arithmetic
     * @param passes that are timed
     */
    public record Effort(long bytes, int rounds, int passes) {
        /** @throws IllegalArgumentException unless all are positive and the bytes are whole words of 16 that an int counts */
        public Effort {
            if (bytes < WORD || bytes % WORD != 0 || bytes / WORD > Integer.MAX_VALUE || rounds < 1 || passes < 1) {
                throw new IllegalArgumentException("bytes=%d, rounds=%d, passes=%d".formatted(bytes, rounds, passes));
            }
        }

        /** Some tenths of a second on a large GPU. */
        public static Effort usual() {
            return new Effort(1L << 30, 4096, 9);
        }
    }

    /**
     * Measures; nothing else should use the device.
     *
     * @throws dev.troupe.kernel.cuda.driver.DeviceMemoryException if it has no room for twice the bytes
     */
    public static DeviceCeilings measure(CudaDevice device, Effort effort) {
        try (Arena arena = Arena.ofShared();
                CudaModule module = KernelImages.load(device, "ceilings");
                CudaStream stream = device.stream()) {
            Measurement measurement = new Measurement(stream, module, effort, arena);
            double read = measurement.readSeconds();
            double copy = measurement.copySeconds();
            double fma = measurement.multiplyAddSeconds();
            double dot = measurement.dotSeconds();
            double steps = (double) measurement.threads * STEPS * effort.rounds();
            return new DeviceCeilings(
                    effort.bytes() / read, 2 * effort.bytes() / copy, 2 * steps / fma, DOT_OPERATIONS * steps / dot);
        }
    }

    /** The buffers and kernels of one measurement. */
    private static final class Measurement {
        private final CudaStream stream;
        private final CudaModule module;
        private final Effort effort;
        private final int blocks;
        private final long threads;
        private final MemorySegment from;
        private final MemorySegment to;
        private final MemorySegment result;

        Measurement(CudaStream stream, CudaModule module, Effort effort, Arena arena) {
            this.stream = stream;
            this.module = module;
            this.effort = effort;
            this.blocks = BLOCKS * stream.device().multiprocessors();
            this.threads = (long) blocks * module.kernel("multiply_add").threads();
            this.from = stream.device().memory().allocate(arena, Use.WORKSPACE, effort.bytes());
            this.to = stream.device().memory().allocate(arena, Use.WORKSPACE, effort.bytes());
            this.result = stream.device().memory().allocate(arena, Use.WORKSPACE, Integer.BYTES * threads);
            stream.fill(from, (byte) 0x5a);
        }

        double readSeconds() {
            CudaKernel kernel = module.kernel("read_memory");
            MemorySegment sums = result.asSlice(0, (long) Integer.BYTES * blocks * kernel.threads() / WARP);
            return new DeviceClock(stream).medianSeconds(effort.passes(), () -> {
                stream.arguments().pointer(from).pointer(sums).number((int) (effort.bytes() / WORD));
                stream.launch(kernel, blocks, 1, 0);
            });
        }

        double copySeconds() {
            return new DeviceClock(stream).medianSeconds(effort.passes(), () -> stream.copy(from, to));
        }

        double multiplyAddSeconds() {
            CudaKernel kernel = module.kernel("multiply_add");
            return new DeviceClock(stream).medianSeconds(effort.passes(), () -> {
                stream.arguments()
                        .pointer(result)
                        .number(effort.rounds())
                        .number(0.999f)
                        .number(0.001f);
                stream.launch(kernel, blocks, 1, 0);
            });
        }

        double dotSeconds() {
            CudaKernel kernel = module.kernel("dot_bytes");
            return new DeviceClock(stream).medianSeconds(effort.passes(), () -> {
                stream.arguments()
                        .pointer(result)
                        .number(effort.rounds())
                        .number(0x01020304)
                        .number(1);
                stream.launch(kernel, blocks, 1, 0);
            });
        }
    }
}
