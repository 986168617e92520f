package dev.troupe.cluster.guardian;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.plan.DeviceProfile;
import java.util.ArrayList;
import java.util.List;

/**
 * What a node says about itself.
 *
 * @param node which incarnation
 * @param roles what it offers
 * @param devices where its ranks can run; empty without role compute
 * @param lane where it listens for tensors, {@code host:port}; empty where there is no lane
 * @param numerics numerics id of its kernels
 * @param models checkpoints it can load
 * @param homes slots of all nodes whose home its regions know; only these may be used from here
 */
public record NodeInfo(
        Incarnation node,
        List<NodeRole> roles,
        List<DeviceProfile> devices,
        String lane,
        String numerics,
        List<RegisteredModel> models,
        List<Slot> homes) {
    public NodeInfo {
        roles = List.copyOf(roles);
        devices = List.copyOf(devices);
        models = List.copyOf(models);
        homes = List.copyOf(homes);
        if (roles.contains(NodeRole.COMPUTE) == devices.isEmpty()) {
            throw new IllegalArgumentException(
                    "node %s has roles %s and %d devices: role compute and devices go together"
                            .formatted(node, roles, devices.size()));
        }
    }

    /** All slots of this node. */
    public List<Slot> slots() {
        List<Slot> slots = new ArrayList<>();
        for (NodeRole role : roles) {
            if (role != NodeRole.COMPUTE) {
                slots.add(Slot.of(node, role));
            }
        }
        for (DeviceProfile device : devices) {
            slots.add(new Slot(node, device.name()));
        }
        return List.copyOf(slots);
    }

    /** Whether it offers {@code role}. */
    public boolean has(NodeRole role) {
        return roles.contains(role);
    }
}
