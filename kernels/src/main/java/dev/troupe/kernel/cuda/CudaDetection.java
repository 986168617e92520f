package dev.troupe.kernel.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;

/**
 * Whether this machine has a GPU that the kernels run on. It asks the driver itself and not JCuda, whose classes cannot be used any
 * more once they were touched on a machine without a driver.
 */
public sealed interface CudaDetection {
    /** CUDA 12.0, the driver's 525: the version of the PTX in the jar. */
    int OLDEST_DRIVER = 12000;

    /** Major compute capability of the PTX in the jar. */
    int LEAST_CAPABILITY = 8;

    /**
     * There is one.
     *
     * @param devices those that will do, at least one
     */
    record Ok(List<Found> devices) implements CudaDetection {
        public Ok {
            devices = List.copyOf(devices);
        }
    }

    /**
     * There is none.
     *
     * @param reason why, as the end of a sentence
     */
    record No(String reason) implements CudaDetection {}

    /**
     * A device that will do.
     *
     * @param ordinal its number, as the driver counts, from 0
     * @param name as its maker calls it
     * @param major compute capability, before the point
     * @param minor compute capability, behind the point
     * @param bytes of its memory
     */
    record Found(int ordinal, String name, int major, int minor, long bytes) {}

    /** Asks the driver. */
    static CudaDetection detect() {
        return detect("libcuda.so.1");
    }

    /** Asks the driver in this library. */
    @SuppressWarnings("restricted") // the driver's library; java.options permits native access
    static CudaDetection detect(String library) {
        SymbolLookup symbols;
        try {
            symbols = SymbolLookup.libraryLookup(library, Arena.global());
        } catch (IllegalArgumentException e) {
            return new No("there is no NVIDIA driver (%s cannot be loaded)".formatted(library));
        }
        try {
            return new Driver(symbols).detect();
        } catch (RefusedException e) {
            return new No(e.getMessage());
        }
    }

    /** Calls of a driver by the foreign-function API. */
    final class Driver {
        private static final int NO_DEVICE = 100;
        private static final int CAPABILITY_MAJOR = 75;
        private static final int CAPABILITY_MINOR = 76;
        private static final int NAME_BYTES = 256;

        private final SymbolLookup symbols;

        private Driver(SymbolLookup symbols) {
            this.symbols = symbols;
        }

        private CudaDetection detect() {
            int started = call("cuInit", 0);
            if (started == NO_DEVICE) {
                return new No("the NVIDIA driver finds no device");
            }
            if (started != 0) {
                return new No("the NVIDIA driver does not start: cuInit gives error %d".formatted(started));
            }
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment number = arena.allocate(ValueLayout.JAVA_INT);
                require("cuDriverGetVersion", call("cuDriverGetVersion", number));
                int version = number.get(ValueLayout.JAVA_INT, 0);
                if (version < OLDEST_DRIVER) {
                    return new No("the NVIDIA driver is for CUDA %d.%d, and CUDA %d.%d is needed (driver 525 or newer)"
                            .formatted(
                                    version / 1000,
                                    version % 1000 / 10,
                                    OLDEST_DRIVER / 1000,
                                    OLDEST_DRIVER % 1000 / 10));
                }
                require("cuDeviceGetCount", call("cuDeviceGetCount", number));
                return choose(devices(number.get(ValueLayout.JAVA_INT, 0)));
            }
        }

        private static CudaDetection choose(List<Found> all) {
            if (all.isEmpty()) {
                return new No("the NVIDIA driver finds no device");
            }
            List<Found> capable =
                    all.stream().filter(d -> d.major() >= LEAST_CAPABILITY).toList();
            if (capable.isEmpty()) {
                Found first = all.getFirst();
                return new No("%s has compute capability %d.%d, and %d.0 is needed"
                        .formatted(first.name(), first.major(), first.minor(), LEAST_CAPABILITY));
            }
            return new Ok(capable);
        }

        private List<Found> devices(int count) {
            List<Found> devices = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                devices.add(device(i));
            }
            return devices;
        }

        private Found device(int ordinal) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment number = arena.allocate(ValueLayout.JAVA_INT);
                MemorySegment bytes = arena.allocate(ValueLayout.JAVA_LONG);
                MemorySegment name = arena.allocate(NAME_BYTES);
                require("cuDeviceGet", call("cuDeviceGet", number, ordinal));
                int device = number.get(ValueLayout.JAVA_INT, 0);
                require("cuDeviceGetName", call("cuDeviceGetName", name, NAME_BYTES, device));
                require("cuDeviceTotalMem", call("cuDeviceTotalMem_v2", bytes, device));
                require("cuDeviceGetAttribute", call("cuDeviceGetAttribute", number, CAPABILITY_MAJOR, device));
                int major = number.get(ValueLayout.JAVA_INT, 0);
                require("cuDeviceGetAttribute", call("cuDeviceGetAttribute", number, CAPABILITY_MINOR, device));
                int minor = number.get(ValueLayout.JAVA_INT, 0);
                return new Found(ordinal, name.getString(0), major, minor, bytes.get(ValueLayout.JAVA_LONG, 0));
            }
        }

        private static void require(String function, int result) {
            if (result != 0) {
                throw new RefusedException("the NVIDIA driver refuses: %s gives error %d".formatted(function, result));
            }
        }

        /** Calls a function of integers and addresses. */
        @SuppressWarnings("restricted") // types are those of cuda.h
        private int call(String function, Object... arguments) {
            MemorySegment symbol = symbols.find(function)
                    .orElseThrow(() -> new RefusedException("the NVIDIA driver has no function " + function));
            MemoryLayout[] types = new MemoryLayout[arguments.length];
            for (int i = 0; i < types.length; i++) {
                types[i] = arguments[i] instanceof Integer ? ValueLayout.JAVA_INT : ValueLayout.ADDRESS;
            }
            MethodHandle handle =
                    Linker.nativeLinker().downcallHandle(symbol, FunctionDescriptor.of(ValueLayout.JAVA_INT, types));
            try {
                return (int) handle.invokeWithArguments(arguments);
            } catch (Throwable e) {
                throw new IllegalStateException(function + " cannot be called", e);
            }
        }
    }

    /** Ends a detection with a reason. */
    final class RefusedException extends RuntimeException {
        private static final long serialVersionUID = 1;

        private RefusedException(String reason) {
            super(reason, null, false, false);
        }

        @Override
        public String getMessage() {
            return String.valueOf(super.getMessage());
        }
    }
}
