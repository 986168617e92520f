package dev.troupe.plan;

import dev.troupe.model.Partition;
import java.util.List;

/**
 * A model split and every rank given a site.
 *
 * @param partition who owns what
 * @param sites the site of every rank, by stage and rank
 */
public record Assignment(Partition partition, List<List<Site>> sites) {
    public Assignment {
        sites = sites.stream().map(List::copyOf).toList();
    }
}
