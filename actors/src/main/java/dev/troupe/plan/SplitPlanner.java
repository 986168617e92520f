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
 * Chooses the split of a replica for the devices that are there: the wanted one, or a smaller one when devices are missing,
 * because a device that computes several ranks one after the other gains nothing from the split and pays for its exchanges.
 * The bits do not depend on the choice. The smaller one gives up stages before ranks: 2 x 2, 1 x 2, 2 x 1, 1 x 1. Where there
 * are GPUs, cores of other nodes compute only what does not fit into them: every rank waits for the slowest.
 *
 * @param config shape of the model
 * @param pipelineParallel stages that are wanted
 * @param tensorParallel ranks of every stage that are wanted
 * @param given an uneven partition for the wanted split, or null for an even one
 * @param footprint what ranks keep in memory
 */
public record SplitPlanner(
        ModelConfig config,
        int pipelineParallel,
        int tensorParallel,
        @Nullable Partition given,
        Footprint footprint) {

    private record Split(int stages, int ranks) {
        int size() {
            return stages * ranks;
        }
    }

    /**
     * Splits the model and gives every rank a site.
     *
     * @param sites what is there
     * @param most how many sites there were when most of them were there
     * @throws UnplannableException if the degrees do not fit the model, there is no site, or the memory is not enough for any
     *     split; the message has the numbers
     */
    public Assignment plan(List<Site> sites, int most) throws UnplannableException {
        List<Site> gpus = sites.stream().filter(site -> site.device().isGpu()).toList();
        int cores = sites.size() - gpus.size();
        Assignment onGpus = gpus.isEmpty() ? null : fitting(gpus, most - cores);
        if (onGpus != null) {
            return onGpus;
        }
        Assignment onAll = fitting(sites, most);
        if (onAll == null) {
            throw new UnplannableException(
                    "no_capacity: %s".formatted(shortage(plan(new Split(pipelineParallel, tensorParallel), sites))));
        }
        return onAll;
    }

    private @Nullable Assignment fitting(List<Site> sites, int most) throws UnplannableException {
        plan(new Split(pipelineParallel, tensorParallel), sites); // what the model cannot be split into is an error
        int ranksPerSite = Math.ceilDiv(pipelineParallel * tensorParallel, Math.max(most, sites.size()));
        List<Assignment> fitting = new ArrayList<>();
        for (Split split : smallerOrEqual()) {
            Assignment assignment = plan(split, sites);
            if (!fits(assignment)) {
                continue;
            }
            if (split.size() <= ranksPerSite * sites.size()) {
                return assignment;
            }
            fitting.add(assignment);
        }
        return fitting.isEmpty() ? null : fitting.getLast();
    }

    private Assignment plan(Split split, List<Site> sites) throws UnplannableException {
        boolean wanted = split.stages() == pipelineParallel && split.ranks() == tensorParallel;
        return Planner.plan(config, split.stages(), split.ranks(), wanted ? given : null, sites);
    }

    /** From the wanted one to 1 x 1. */
    private List<Split> smallerOrEqual() {
        List<Split> splits = new ArrayList<>();
        for (int stages = 1; stages <= pipelineParallel; stages++) {
            for (int ranks = 1; ranks <= tensorParallel; ranks++) {
                splits.add(new Split(stages, ranks));
            }
        }
        splits.sort(Comparator.comparingInt(Split::size)
                .thenComparingInt(Split::ranks)
                .reversed());
        return splits;
    }

    private boolean fits(Assignment assignment) {
        return load(assignment).entrySet().stream()
                .allMatch(load -> load.getKey().device().memoryBytes() == 0
                        || load.getValue() <= load.getKey().device().memoryBytes());
    }

    private Map<Site, Long> load(Assignment assignment) {
        Map<Site, Long> load = new HashMap<>();
        for (int stage = 0; stage < assignment.sites().size(); stage++) {
            List<Site> ranks = assignment.sites().get(stage);
            for (int rank = 0; rank < ranks.size(); rank++) {
                Site site = ranks.get(rank);
                load.merge(site, footprint.bytes(assignment.partition(), stage, rank, site.device()), Long::sum);
            }
        }
        return load;
    }

    private String shortage(Assignment wanted) {
        long needed = load(wanted).values().stream().mapToLong(Long::longValue).sum();
        List<String> have = load(wanted).keySet().stream()
                .map(site -> "%s has %s"
                        .formatted(site.slot(), gigabytes(site.device().memoryBytes())))
                .sorted()
                .toList();
        return ("%d x %d ranks keep %s of weights, KV cache and workspace and no split of them fits; %s: start more nodes with role"
                        + " compute, or lower troupe.kv.blocks or troupe.kv.memory")
                .formatted(pipelineParallel, tensorParallel, gigabytes(needed), String.join(", ", have));
    }

    private static String gigabytes(long bytes) {
        return "%.2f GiB".formatted(bytes / (double) (1L << 30));
    }
}
