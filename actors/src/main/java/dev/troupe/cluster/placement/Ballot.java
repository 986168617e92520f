package dev.troupe.cluster.placement;

import dev.troupe.cluster.guardian.ModelCard;
import dev.troupe.cluster.guardian.NodeInfo;
import dev.troupe.cluster.guardian.Vote;
import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.cluster.identity.Slot;
import dev.troupe.plan.Site;
import dev.troupe.stage.Epoch;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * The votes on one epoch. It is won on the nodes that have promised it, however few: an epoch needs no majority, because
 * a rank serves only the last one that its node has promised and a generation takes tokens of one epoch only.
 */
final class Ballot {
    private final Epoch epoch;
    private final ModelCard reference;
    private final Set<Incarnation> asked = new TreeSet<>();
    private final Map<Incarnation, Vote> votes = new TreeMap<>();
    private Epoch highest;

    /**
     * @param reference the checkpoint that others are measured by
     */
    Ballot(Epoch epoch, ModelCard reference) {
        this.epoch = epoch;
        this.highest = epoch;
        this.reference = reference;
    }

    /** {@code node} is being asked for its vote. */
    void ask(Incarnation node) {
        asked.add(node);
    }

    Epoch epoch() {
        return epoch;
    }

    /** Notes a vote; one on another epoch, or from a node that was not asked, changes nothing. */
    void note(Vote vote) {
        if (!vote.epoch().equals(epoch) || !asked.contains(vote.node())) {
            return;
        }
        votes.put(vote.node(), vote);
        if (vote instanceof Vote.Refused refused && refused.highest().compareTo(highest) > 0) {
            highest = refused.highest();
        }
    }

    /** Whether somebody has promised a higher one, so that this one is lost. */
    boolean isLost() {
        return !highest.equals(epoch);
    }

    /** The highest epoch heard of. */
    Epoch highest() {
        return highest;
    }

    /** Whether all of {@code expected} that were asked have voted. */
    boolean hasAll(Collection<Incarnation> expected) {
        return expected.stream().filter(asked::contains).allMatch(votes::containsKey);
    }

    /** Nodes that have promised, ascending. */
    List<NodeInfo> promised() {
        List<NodeInfo> promised = new ArrayList<>();
        for (Vote vote : votes.values()) {
            if (vote instanceof Vote.Promised yes) {
                promised.add(yes.info());
            }
        }
        return promised;
    }

    /** Slots whose home is known to every node that has promised: those that may be used by all of them. */
    private Set<Slot> usable() {
        Set<Slot> usable = new HashSet<>();
        List<NodeInfo> promised = promised();
        promised.forEach(node -> usable.addAll(node.homes()));
        promised.forEach(node -> usable.retainAll(node.homes()));
        return usable;
    }

    /** Nodes that have answered, whatever they said. */
    Set<String> alive() {
        return votes.keySet().stream().map(Incarnation::toString).collect(Collectors.toSet());
    }

    /** Where {@code node} listens for tensors; empty where it has no lane or has not promised. */
    String lane(Incarnation node) {
        return votes.get(node) instanceof Vote.Promised yes ? yes.info().lane() : "";
    }

    /** Devices that have promised and may be used. */
    List<Site> sites() {
        Set<Slot> usable = usable();
        List<Site> sites = new ArrayList<>();
        for (NodeInfo node : promised()) {
            node.devices().forEach(device -> {
                Slot slot = new Slot(node.node(), device.name());
                if (usable.contains(slot)) {
                    sites.add(new Site(node.node().toString(), slot.toString(), device));
                }
            });
        }
        return sites;
    }

    /** Whether {@code slot} may be used by all that have promised. */
    boolean isUsable(Slot slot) {
        return usable().contains(slot);
    }

    /** Whether a device has promised whose home is not known to all yet. */
    boolean isUnsettled() {
        int devices =
                promised().stream().mapToInt(node -> node.devices().size()).sum();
        return sites().size() < devices;
    }

    /** Whether devices have been refused and none is left. */
    boolean isHopeless() {
        return sites().isEmpty()
                && !isUnsettled()
                && votes.values().stream().anyMatch(vote -> vote instanceof Vote.Unfit);
    }

    /** What every asked node said, for people. */
    String account() {
        return asked.isEmpty()
                ? "no node is a member"
                : asked.stream().map(this::account).collect(Collectors.joining("; "));
    }

    private String account(Incarnation node) {
        String said = switch (votes.get(node)) {
            case null -> "did not answer";
            case Vote.Promised yes when !yes.info().has(NodeRole.COMPUTE) -> "has no role compute";
            case Vote.Promised yes when yes.info().slots().stream().allMatch(this::isUsable) -> "takes part";
            case Vote.Promised _ -> "takes part, but its slots are not known on all nodes yet";
            case Vote.Refused no -> "has promised " + no.highest();
            case Vote.Unfit unfit ->
                "does not take part: %s%s"
                        .formatted(
                                unfit.reason(),
                                reference
                                        .difference(unfit.parts())
                                        .map("; "::concat)
                                        .orElse(""));
        };
        return node.hostPort() + " " + said;
    }
}
