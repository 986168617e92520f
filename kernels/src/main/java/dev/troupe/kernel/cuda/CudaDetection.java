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
     * @param version newest version of CUDA that the driver is for: 12040 for 12.4
     * @param devices those that will do, at least one
     * @param refused those that will not
     */
    record Ok(int version, List<Found> devices, List<Refused> refused) implements CudaDetection {
        public Ok {
            devices = List.copyOf(devices);
            refused = List.copyOf(refused);
        }

        /** {@code 12.4}. */
        public String cuda() {
            return cuda(version);
        }

        private static String cuda(int version) {
            return "%d.%d".formatted(version / 1000, version % 1000 / 10);
        }
    }

    /**
     * There is none.
     *
     * @param reason why, as the end of a sentence
     * @param driver whether there is a driver, so that somebody may expect one
     */
    record No(String reason, boolean driver) implements CudaDetection {}

    /**
     * A device that will do.
     *
     * @param ordinal its number, as the driver counts, from 0
     * @param name as its maker calls it
     * @param major compute capability, before the point
     * @param minor compute capability, behind the point
     * @param bytes of its memory
     * @param peers numbers of the devices whose memory it can reach, ascending
     */
    record Found(int ordinal, String name, int major, int minor, long bytes, List<Integer> peers) {
        public Found {
            peers = List.copyOf(peers);
        }

        @Override
        public String toString() {
            return "device %d (%s)".formatted(ordinal, name);
        }
    }

    /**
     * A device that will not do.
     *
     * @param ordinal its number, as the driver counts, from 0
     * @param name as its maker calls it
     * @param reason why, as the end of a sentence
     */
    record Refused(int ordinal, String name, String reason) {}

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
            return new No("there is no NVIDIA driver (%s cannot be loaded)".formatted(library), false);
        }
        try {
            return new Driver(symbols).detect();
        } catch (RefusedException e) {
            return new No(e.getMessage(), true);
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
                return new No("the NVIDIA driver finds no device", true);
            }
            if (started != 0) {
                return new No("the NVIDIA driver does not start: cuInit gives error %d".formatted(started), true);
            }
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment number = arena.allocate(ValueLayout.JAVA_INT);
                require("cuDriverGetVersion", call("cuDriverGetVersion", number));
                int version = number.get(ValueLayout.JAVA_INT, 0);
                if (version < OLDEST_DRIVER) {
                    return new No(
                            "the NVIDIA driver is for CUDA %s, and CUDA %s is needed (driver 525 or newer)"
                                    .formatted(Ok.cuda(version), Ok.cuda(OLDEST_DRIVER)),
                            true);
                }
                require("cuDeviceGetCount", call("cuDeviceGetCount", number));
                return choose(version, devices(number.get(ValueLayout.JAVA_INT, 0)));
            }
        }

        private static CudaDetection choose(int version, List<Found> all) {
            if (all.isEmpty()) {
                return new No("the NVIDIA driver finds no device", true);
            }
            List<Found> capable =
                    all.stream().filter(d -> d.major() >= LEAST_CAPABILITY).toList();
            List<Refused> refused = all.stream()
                    .filter(d -> d.major() < LEAST_CAPABILITY)
                    .map(d -> new Refused(
                            d.ordinal(),
                            d.name(),
                            "%s has compute capability %d.%d, and %d.0 is needed"
                                    .formatted(d.name(), d.major(), d.minor(), LEAST_CAPABILITY)))
                    .toList();
            return capable.isEmpty() ? new No(refused.getFirst().reason(), true) : new Ok(version, capable, refused);
        }

        private List<Found> devices(int count) {
            List<Found> devices = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                devices.add(device(i, count));
            }
            return devices;
        }

        private Found device(int ordinal, int count) {
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
                return new Found(
                        ordinal,
                        name.getString(0),
                        major,
                        minor,
                        bytes.get(ValueLayout.JAVA_LONG, 0),
                        peers(device, ordinal, count, number));
            }
        }

        private List<Integer> peers(int device, int ordinal, int count, MemorySegment number) {
            List<Integer> peers = new ArrayList<>();
            for (int other = 0; other < count; other++) {
                if (other != ordinal) {
                    require("cuDeviceGet", call("cuDeviceGet", number, other));
                    int peer = number.get(ValueLayout.JAVA_INT, 0);
                    require("cuDeviceCanAccessPeer", call("cuDeviceCanAccessPeer", number, device, peer));
                    if (number.get(ValueLayout.JAVA_INT, 0) != 0) {
                        peers.add(other);
                    }
                }
            }
            return peers;
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
