package dev.troupe.cluster;

import dev.troupe.cluster.guardian.ModelCard;
import dev.troupe.cluster.placement.ModelSpec;
import dev.troupe.cluster.placement.PlacementTimes;
import dev.troupe.plan.DeviceProfile;
import java.util.List;

/**
 * What a process brings into the cluster. Its roles are those of its Pekko member.
 *
 * @param devices where ranks can run; empty without role compute
 * @param lane where it listens for tensors, {@code host:port}; empty where there is no lane
 * @param numerics numerics id of its kernels
 * @param models what it can load; a control node can also place it
 * @param times how long placements wait
 */
public record NodeProfile(
        List<DeviceProfile> devices, String lane, String numerics, List<ModelSpec> models, PlacementTimes times) {
    public NodeProfile {
        devices = List.copyOf(devices);
        models = List.copyOf(models);
    }

    List<ModelCard> cards() {
        return models.stream().map(ModelSpec::card).toList();
    }
}
