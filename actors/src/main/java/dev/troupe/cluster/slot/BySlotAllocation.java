package dev.troupe.cluster.slot;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.Slot;
import java.util.Collection;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.Address;
import org.apache.pekko.cluster.sharding.ShardCoordinator;
import org.apache.pekko.dispatch.Futures;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.collection.immutable.IndexedSeq;
import scala.concurrent.Future;

/**
 * Where a slot lives: on the node that its name says. It is allocated there or not at all, and nothing is ever moved. A
 * slot of a member without a region is an error, which the coordinator logs; one of an incarnation that is no member any
 * more, or leaves, is what remains after every end of a node, and stays unanswered.
 */
public final class BySlotAllocation extends ShardCoordinator.AbstractShardAllocationStrategy {
    private static final Logger LOG = LoggerFactory.getLogger(BySlotAllocation.class);

    private final Incarnation self;
    private final Supplier<? extends Collection<Incarnation>> members;

    /**
     * @param self this node: a region without a host in its address is its own
     * @param members who is in the cluster now and does not leave
     */
    public BySlotAllocation(Incarnation self, Supplier<? extends Collection<Incarnation>> members) {
        this.self = self;
        this.members = members;
    }

    @Override
    public Future<ActorRef> allocateShard(
            ActorRef requester, String shardId, Map<ActorRef, IndexedSeq<String>> current) {
        Incarnation node;
        try {
            node = Slot.parse(shardId).node();
        } catch (IllegalArgumentException e) {
            return Futures.failed(new UnknownHomeException(String.valueOf(e.getMessage())));
        }
        if (!members.get().contains(node)) {
            LOG.debug("slot {} has no home: {} is gone", shardId, node);
            return Futures.<ActorRef>promise().future();
        }
        Optional<ActorRef> region = current.keySet().stream()
                .filter(candidate -> isOn(node, candidate))
                .min(Comparator.comparing(ActorRef::path));
        return region.map(Futures::successful)
                .orElseGet(() -> Futures.failed(new UnknownHomeException("slot %s has no region on %s yet; regions: %s"
                        .formatted(
                                shardId,
                                node,
                                names(current.keySet().stream()
                                        .map(ref -> ref.path().address())
                                        .toList())))));
    }

    private boolean isOn(Incarnation node, ActorRef region) {
        Address address = region.path().address();
        return address.hasLocalScope() ? node.equals(self) : node.isAt(address);
    }

    private static String names(Collection<?> places) {
        return places.stream().map(Object::toString).sorted().collect(Collectors.joining(", "));
    }

    @Override
    public Future<Set<String>> rebalance(Map<ActorRef, IndexedSeq<String>> current, Set<String> rebalanceInProgress) {
        return Futures.successful(Set.of());
    }

    /** Why a slot has no home now. Pekko logs it; a stack would only say that Pekko asked. */
    static final class UnknownHomeException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        UnknownHomeException(String message) {
            super(message, null, false, false);
        }
    }
}
