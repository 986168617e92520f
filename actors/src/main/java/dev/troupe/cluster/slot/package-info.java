/** Cluster shards as slots: where they live, how every node learns it, and who lives there. */
@NullMarked
package dev.troupe.cluster.slot;

import org.jspecify.annotations.NullMarked;
