package dev.troupe.node;

import dev.troupe.cluster.ClusterNode;
import dev.troupe.kernel.Devices;
import dev.troupe.model.ShardCompute;
import dev.troupe.sampling.guide.TokenTable;
import dev.troupe.stage.ReplicaPlan;
import dev.troupe.stage.ShardId;
import dev.troupe.stage.ShardLoader;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends a node one of whose devices has failed: a GPU is of no use to a process once work on it has failed, and the process that
 * is started in its place may use it again. Streams go on elsewhere meanwhile.
 */
public final class DeviceWatch {
    private static final Duration LOOK_EVERY = Duration.ofSeconds(1);
    private static final Logger LOG = LoggerFactory.getLogger(DeviceWatch.class);

    private final ActorSystem<?> system;
    private final Devices devices;
    private final AtomicBoolean failed = new AtomicBoolean();

    DeviceWatch(ActorSystem<?> system, Devices devices) {
        this.system = system;
        this.devices = devices;
    }

    /** Why a node ends. */
    public enum Reason implements CoordinatedShutdown.Reason {
        /** A device has failed. */
        DEVICE_FAILED
    }

    /** Looks once in a while. */
    void start(ClusterNode node) {
        if (devices.all().stream().allMatch(device -> device.memory().isHost())) {
            return;
        }
        system.scheduler()
                .scheduleWithFixedDelay(
                        LOOK_EVERY,
                        LOOK_EVERY,
                        () -> look(node),
                        system.dispatchers().lookup(DispatcherSelector.blocking()));
    }

    private void look(ClusterNode node) {
        String failure = failed.get() ? null : devices.failure();
        if (failure != null && !failed.getAndSet(true)) {
            LOG.error("{}: this node ends", failure);
            node.announceLeave(system);
            CoordinatedShutdown.get(system).run(Reason.DEVICE_FAILED);
        }
    }

    /** The same loader, after whose failures it looks at once: the next epoch must not be here. */
    ShardLoader watched(ClusterNode node, ShardLoader loader) {
        return new ShardLoader() {
            @Override
            public ShardCompute load(ShardId id, ReplicaPlan plan) throws Exception {
                try {
                    return loader.load(id, plan);
                } catch (Exception e) {
                    look(node);
                    throw e;
                }
            }

            @Override
            public @Nullable TokenTable tokens(ReplicaPlan plan) throws Exception {
                return loader.tokens(plan);
            }
        };
    }
}
