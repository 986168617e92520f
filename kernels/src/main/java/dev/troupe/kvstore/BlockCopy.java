package dev.troupe.kvstore;

/** A copy of KV blocks that was asked for. For the thread that owns the kernels, while they are open. */
public interface BlockCopy {
    /**
     * Whether it has been made; waits for nothing.
     *
     * @throws RuntimeException if the device has failed
     */
    boolean isDone();

    /**
     * Waits until it has been made.
     *
     * @throws RuntimeException if the device has failed
     * @throws IllegalStateException if the kernels were closed before anybody knew that it has been made
     */
    void await();
}
