package dev.troupe.plan;

import dev.troupe.model.ModelConfig;
import dev.troupe.model.Partition;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Gives every rank of every stage a site. Sites are filled level by level, so no site gets a second rank while another
 * has none. The ranks of a stage exchange partials after every segment, so they share a node when one node has enough sites
 * at the lowest level; else they are dealt out over the nodes in turn. The same sites give the same assignment, whatever
 * their order.
 */
public final class Planner {
    private final List<Site> sites;
    private final Map<Site, Integer> ranks = new HashMap<>();

    private Planner(List<Site> sites) {
        this.sites = sites.stream()
                .sorted(Comparator.comparing(Site::node).thenComparing(Site::slot))
                .toList();
        this.sites.forEach(site -> ranks.put(site, 0));
    }

    /**
     * Splits a model evenly, or as {@code given}, and spreads it over {@code sites}.
     *
     * @param given an uneven partition, or null for an even one
     * @throws UnplannableException if the degrees do not fit the model or there is no site
     */
    public static Assignment plan(
            ModelConfig config, int pipelineParallel, int tensorParallel, @Nullable Partition given, List<Site> sites)
            throws UnplannableException {
        Partition partition = partition(config, pipelineParallel, tensorParallel, given);
        if (sites.isEmpty()) {
            throw new UnplannableException(
                    "%d stages of %d ranks need at least one device and there is none: start a node with role compute"
                            .formatted(pipelineParallel, tensorParallel));
        }
        Planner planner = new Planner(sites);
        return new Assignment(
                partition,
                partition.stages().stream()
                        .map(stage -> planner.place(stage.ranks().size()))
                        .toList());
    }

    private static Partition partition(
            ModelConfig config, int pipelineParallel, int tensorParallel, @Nullable Partition given)
            throws UnplannableException {
        try {
            if (given == null) {
                return Partition.even(config, pipelineParallel, tensorParallel);
            }
            given.requireCovers(config);
        } catch (IllegalArgumentException e) {
            throw new UnplannableException(String.valueOf(e.getMessage()));
        }
        List<Integer> degrees =
                given.stages().stream().map(stage -> stage.ranks().size()).toList();
        if (degrees.size() != pipelineParallel || degrees.stream().anyMatch(r -> r != tensorParallel)) {
            throw new UnplannableException(
                    "pipeline-parallel = %d and tensor-parallel = %d do not fit the given partition, whose stages have these numbers of ranks: %s"
                            .formatted(pipelineParallel, tensorParallel, degrees));
        }
        return given;
    }

    /** Sites of the ranks of the next stage. */
    private List<Site> place(int count) {
        List<Site> chosen = onOneNode(count);
        if (chosen.isEmpty()) {
            for (int r = 0; r < count; r++) {
                Site site = next(chosen);
                take(site);
                chosen.add(site);
            }
        } else {
            chosen.forEach(this::take);
        }
        return chosen;
    }

    private void take(Site site) {
        ranks.merge(site, 1, Integer::sum);
    }

    private int level() {
        return sites.stream().mapToInt(this::ranksOn).min().orElse(0);
    }

    private int ranksOn(Site site) {
        return ranks.getOrDefault(site, 0);
    }

    /** All ranks on the node that has the fewest sites to spare, or nothing when no node has enough. */
    private List<Site> onOneNode(int count) {
        int level = level();
        Map<String, List<Site>> free = new HashMap<>();
        sites.stream()
                .filter(site -> ranksOn(site) == level)
                .forEach(site -> free.computeIfAbsent(site.node(), _ -> new ArrayList<>())
                        .add(site));
        return free.entrySet().stream()
                .filter(node -> node.getValue().size() >= count)
                .min(Comparator.comparingInt((Map.Entry<String, List<Site>> node) ->
                                node.getValue().size())
                        .thenComparing(Map.Entry::getKey))
                .<List<Site>>map(node -> new ArrayList<>(node.getValue().subList(0, count)))
                .orElseGet(ArrayList::new);
    }

    /** The least loaded site, of a node that has the fewest ranks of this stage and then the fewest ranks in all. */
    private Site next(List<Site> ofStage) {
        return sites.stream()
                .min(Comparator.comparingInt(this::ranksOn)
                        .thenComparingLong(site -> ofStage.stream()
                                .filter(other -> other.node().equals(site.node()))
                                .count())
                        .thenComparingInt(site -> ranksOnNode(site.node()))
                        .thenComparing(Site::node)
                        .thenComparing(Site::slot))
                .orElseThrow();
    }

    private int ranksOnNode(String node) {
        return sites.stream()
                .filter(site -> site.node().equals(node))
                .mapToInt(this::ranksOn)
                .sum();
    }
}
