package dev.troupe.kernel.cuda.driver;

/** A device has not the memory that was asked for; the message says how much, how much is free, and what holds the rest. */
public final class DeviceMemoryException extends CudaException {
    private static final long serialVersionUID = 1;

    DeviceMemoryException(String message) {
        super(OUT_OF_MEMORY, message);
    }
}
