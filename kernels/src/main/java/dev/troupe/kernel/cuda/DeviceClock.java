package dev.troupe.kernel.cuda;

import dev.troupe.kernel.cuda.driver.CudaEvent;
import dev.troupe.kernel.cuda.driver.CudaGraph;
import dev.troupe.kernel.cuda.driver.CudaStream;
import dev.troupe.kernel.measure.WorkClock;
import java.util.stream.DoubleStream;

/** How long a device takes for the work of a stream, by its own clock. For the thread that owns the stream. */
public final class DeviceClock implements WorkClock {
    private static final int WARM_UP = 2;

    private final CudaStream stream;

    /** A clock for the work of this stream. */
    public DeviceClock(CudaStream stream) {
        this.stream = stream;
    }

    /** Runs work once, then notes it as a graph, so that the host's launches cost next to nothing, and times replays. */
    @Override
    public double medianSeconds(int passes, Runnable work) {
        work.run();
        stream.synchronize();
        try (CudaGraph graph = stream.capture(work);
                CudaEvent start = CudaEvent.timed(stream.device());
                CudaEvent end = CudaEvent.timed(stream.device())) {
            double[] seconds = new double[passes + WARM_UP];
            for (int pass = 0; pass < seconds.length; pass++) {
                stream.record(start);
                stream.launch(graph);
                stream.record(end);
                end.synchronize();
                seconds[pass] = end.secondsSince(start);
            }
            double[] sorted = DoubleStream.of(seconds).skip(WARM_UP).sorted().toArray();
            return sorted[passes / 2];
        }
    }
}
