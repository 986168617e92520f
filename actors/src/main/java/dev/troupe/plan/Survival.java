package dev.troupe.plan;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * What a cluster outlives, as it is now: its membership, the replica that it serves, and the streams that it has begun.
 *
 * @param voters nodes that vote about who stays
 * @param losses how many of them may be lost at once, whichever they are, and the others go on
 * @param replica what becomes of the replica without each node, by the node's name
 * @param frontEnds nodes that own streams and that clients talk to
 * @param logHolders nodes that can hold a copy of a stream's token log
 */
public record Survival(
        int voters, int losses, Map<String, Replica> replica, List<String> frontEnds, List<String> logHolders) {

    /**
     * A node of the cluster.
     *
     * @param name for people, unique
     * @param votes whether it has a say in who stays; such a node can hold logs
     * @param frontEnd whether it owns streams; such a node can hold logs
     * @param sites where ranks can run
     */
    public record Node(String name, boolean votes, boolean frontEnd, List<Site> sites) {
        public Node {
            sites = List.copyOf(sites);
        }
    }

    /** A replica on what is left when a node is lost. */
    public sealed interface Replica {}

    /** It keeps the split that it is asked for, on a spare device or with more ranks to a device. */
    public record SameSplit() implements Replica {}

    /** It goes on with fewer stages or ranks; the bits stay the same. */
    public record SmallerSplit(int stages, int ranks) implements Replica {}

    /** It stops until a node comes back. */
    public record NoCapacity(String reason) implements Replica {}

    public Survival {
        replica = Map.copyOf(replica);
        frontEnds = List.copyOf(frontEnds);
        logHolders = List.copyOf(logHolders);
    }

    /**
     * Works it out.
     *
     * @param nodes all that are there
     * @param quorum votes that are needed; empty where the majority of the voters that are there decides
     * @param planner places the replica
     * @param most how many sites there were when most of them were there
     */
    public static Survival of(List<Node> nodes, OptionalInt quorum, SplitPlanner planner, int most) {
        int voters = (int) nodes.stream().filter(Node::votes).count();
        int devices =
                (int) nodes.stream().mapToLong(node -> node.sites().size()).sum();
        Map<String, Replica> without = new TreeMap<>();
        for (Node lost : nodes) {
            List<Site> left = nodes.stream()
                    .filter(node -> !node.equals(lost))
                    .flatMap(node -> node.sites().stream())
                    .toList();
            without.put(lost.name(), replica(planner, left, Math.max(most, devices)));
        }
        return new Survival(
                voters,
                Math.max(0, quorum.isPresent() ? voters - quorum.getAsInt() : (voters - 1) / 2),
                without,
                names(nodes, Node::frontEnd),
                names(nodes, node -> node.frontEnd() || node.votes()));
    }

    private static List<String> names(List<Node> nodes, Predicate<Node> which) {
        return nodes.stream().filter(which).map(Node::name).toList();
    }

    private static Replica replica(SplitPlanner planner, List<Site> sites, int most) {
        try {
            List<List<Site>> placed = planner.plan(sites, most).sites();
            int ranks = placed.getFirst().size();
            return placed.size() == planner.pipelineParallel() && ranks == planner.tensorParallel()
                    ? new SameSplit()
                    : new SmallerSplit(placed.size(), ranks);
        } catch (UnplannableException e) {
            return new NoCapacity(String.valueOf(e.getMessage()));
        }
    }

    /** Whether the loss of any one node costs no stream: the others go on, and somebody has its log and can show it. */
    public boolean outlivesAnyNode() {
        return losses > 0
                && frontEnds.size() > 1
                && replica.values().stream().noneMatch(left -> left instanceof NoCapacity);
    }

    /** The same for people: a sentence each about the membership, the replica and the streams. */
    public List<String> sentences() {
        return List.of(membership(), replicas(), streams());
    }

    private String membership() {
        String vote = voters == 1 ? "1 node votes (role control)" : "%d nodes vote (role control)".formatted(voters);
        if (losses > 0) {
            return "membership: %s; it outlives the loss of any %s of them"
                    .formatted(vote, losses == 1 ? "one" : Integer.toString(losses));
        }
        return switch (voters) {
            case 0 -> "membership: no node votes: start nodes with role control";
            case 1 ->
                "membership: %s: the cluster ends with it; three would outlive the loss of any one".formatted(vote);
            case 2 ->
                "membership: %s: losing one may end the other too; a third would outlive the loss of any one"
                        .formatted(vote);
            default ->
                "membership: %s, and all are needed: the next loss ends the cluster; bring back those that are missing"
                        .formatted(vote);
        };
    }

    private String replicas() {
        Map<String, List<String>> byOutcome = new LinkedHashMap<>();
        new TreeMap<>(replica)
                .forEach((node, left) -> byOutcome
                        .computeIfAbsent(describe(left), _ -> new ArrayList<>())
                        .add(node));
        if (byOutcome.size() == 1) {
            return "replica: after the loss of any one node it has "
                    + byOutcome.keySet().iterator().next();
        }
        List<String> each = byOutcome.entrySet().stream()
                .map(outcome ->
                        "%s after the loss of %s".formatted(outcome.getKey(), String.join(" or ", outcome.getValue())))
                .toList();
        return "replica: it has " + String.join("; ", each);
    }

    private static String describe(Replica left) {
        return switch (left) {
            case SameSplit _ -> "the same split";
            case SmallerSplit smaller -> "a smaller split, %d x %d".formatted(smaller.stages(), smaller.ranks());
            case NoCapacity none -> "no capacity (%s)".formatted(none.reason());
        };
    }

    private String streams() {
        if (frontEnds.isEmpty()) {
            return "streams: no node takes requests: start nodes with role frontend";
        }
        if (logHolders.size() == 1) {
            return "streams: their logs have one holder, %s, and are lost with it".formatted(logHolders.getFirst());
        }
        if (frontEnds.size() == 1) {
            return "streams: their logs have a second holder, but %s is the only front end: clients wait until it is back or another one starts"
                    .formatted(frontEnds.getFirst());
        }
        return logHolders.size() == 2
                ? "streams: every log has a second holder; after one loss it has none until a node comes back"
                : "streams: every log has a second holder, and finds another when it loses one";
    }
}
