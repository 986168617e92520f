package dev.troupe.node;

import dev.troupe.kernel.Devices;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends a node one of whose devices has failed: a GPU is of no use to a process once work on it has failed, and the process that
 * is started in its place may use it again. Its streams go on elsewhere meanwhile.
 */
public final class DeviceWatch {
    private static final Duration LOOK_EVERY = Duration.ofSeconds(1);
    private static final Logger LOG = LoggerFactory.getLogger(DeviceWatch.class);

    private DeviceWatch() {}

    /** Why a node ends. */
    public enum Reason implements CoordinatedShutdown.Reason {
        /** A device has failed. */
        DEVICE_FAILED
    }

    static void start(ActorSystem<?> system, Devices devices) {
        if (devices.all().stream().allMatch(device -> device.memory().isHost())) {
            return;
        }
        AtomicBoolean told = new AtomicBoolean();
        system.scheduler()
                .scheduleWithFixedDelay(
                        LOOK_EVERY,
                        LOOK_EVERY,
                        () -> {
                            String failure = told.get() ? null : devices.failure();
                            if (failure != null && !told.getAndSet(true)) {
                                LOG.error("{}: this node ends", failure);
                                CoordinatedShutdown.get(system).run(Reason.DEVICE_FAILED);
                            }
                        },
                        system.dispatchers().lookup(DispatcherSelector.blocking()));
    }
}
