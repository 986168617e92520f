package dev.troupe.kernel.cuda.driver;

/**
 * How far a stream has come with reading memory that others write again later: they wait for it, and need not wait any more when the
 * stream has ended. Thread-safe.
 */
final class ReadMark implements AutoCloseable {
    private final CudaStream stream;
    private final CudaEvent event;
    private boolean closed;

    ReadMark(CudaStream stream) {
        this.stream = stream;
        this.event = new CudaEvent(stream.device());
    }

    /** Marks what the stream was asked so far, for the thread that owns it; later than before, so all who have waited still wait enough. */
    synchronized void record() {
        stream.record(event);
    }

    /** Does what is added to another stream from now on after what was marked last. */
    synchronized void awaitOn(CudaStream writer) {
        if (!closed) {
            writer.await(event);
        }
    }

    /** Waits on the host until what was marked last is done. */
    synchronized void synchronize() {
        if (!closed) {
            event.synchronize();
        }
    }

    /** Waits for what was marked; afterwards nobody has to. */
    @Override
    public synchronized void close() {
        event.synchronize();
        closed = true;
        event.close();
    }
}
