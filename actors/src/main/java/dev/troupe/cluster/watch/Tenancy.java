package dev.troupe.cluster.watch;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.stage.Epoch;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Which ranks this node has placed where: the newest epoch of every replica, without the ranks already lost. */
final class Tenancy {
    private final Map<String, Placed> placed = new TreeMap<>();

    private record Placed(Epoch epoch, List<Tenant> tenants) {}

    /** Ranks of one replica that are lost together. */
    record Loss(String replica, List<Tenant> tenants) {
        /** What they are, for people. */
        String hosted() {
            return tenants.stream()
                            .map(tenant -> "stage %d rank %d"
                                    .formatted(tenant.id().stage(), tenant.id().rank()))
                            .collect(Collectors.joining(", "))
                    + " of " + replica;
        }
    }

    /** Takes the place of every lower epoch of {@code replica}; a lower one than the known is ignored. */
    void place(String replica, Epoch epoch, List<Tenant> tenants) {
        Placed before = placed.get(replica);
        if (before == null || before.epoch().compareTo(epoch) < 0) {
            placed.put(replica, new Placed(epoch, List.copyOf(tenants)));
        }
    }

    /** Takes out all ranks on {@code node}. */
    List<Loss> lose(Incarnation node) {
        return take(_ -> true, tenant -> tenant.slot().node().equals(node));
    }

    /** Takes out the ranks that are reached through {@code lane}, of replicas that also have ranks on {@code reporter}. */
    List<Loss> loseLane(String lane, Incarnation reporter) {
        return take(
                placed -> placed.tenants().stream()
                        .anyMatch(tenant -> tenant.slot().node().equals(reporter)),
                tenant -> tenant.lane().equals(lane));
    }

    private List<Loss> take(Predicate<Placed> which, Predicate<Tenant> lost) {
        List<Loss> losses = new ArrayList<>();
        placed.replaceAll((replica, before) -> {
            List<Tenant> gone =
                    which.test(before) ? before.tenants().stream().filter(lost).toList() : List.of();
            if (gone.isEmpty()) {
                return before;
            }
            losses.add(new Loss(replica, gone));
            return new Placed(
                    before.epoch(),
                    before.tenants().stream().filter(lost.negate()).toList());
        });
        return losses;
    }
}
