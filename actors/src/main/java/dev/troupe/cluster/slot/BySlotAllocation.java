package dev.troupe.cluster.slot;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.Slot;
import java.util.Collection;
import java.util.HashMap;
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
import scala.concurrent.Promise;

/**
 * Where a slot lives: on the node that its name says. It is allocated there or not at all, and nothing is ever moved. A
 * slot of a member without a region is an error, which the coordinator logs; one of an incarnation that is no member any
 * more, or leaves, is what remains after every end of a node, and stays unanswered.
 *
 * <p>A coordinator may still know the region of a node's former incarnation, which nothing but its dead reference tells
 * from the new one: both have the same path. Only a node's present region asks for that node's slots by itself, so the
 * answer for all is whoever has asked from there; until then others wait. Owned by the coordinator's thread.
 */
public final class BySlotAllocation extends ShardCoordinator.AbstractShardAllocationStrategy {
    private static final Logger LOG = LoggerFactory.getLogger(BySlotAllocation.class);

    private final Incarnation self;
    private final Supplier<? extends Collection<Incarnation>> members;
    private final Map<String, Promise<ActorRef>> waiting = new HashMap<>();

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
        waiting.keySet()
                .removeIf(slot -> !members.get().contains(Slot.parse(slot).node()));
        if (isOn(node, requester) && current.containsKey(requester)) {
            Optional.ofNullable(waiting.remove(shardId)).ifPresent(promise -> promise.success(requester));
            return Futures.successful(requester);
        }
        if (current.keySet().stream().anyMatch(region -> isOn(node, region))) {
            return waiting.computeIfAbsent(shardId, _ -> Futures.promise()).future();
        }
        return Futures.failed(new UnknownHomeException("slot %s has no region on %s yet; regions: %s"
                .formatted(
                        shardId,
                        node,
                        names(current.keySet().stream()
                                .map(ref -> ref.path().address())
                                .toList()))));
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
