/** Who runs where: roles, slots, ballots, the node's guardian, placement. */
@NullMarked
package dev.troupe.cluster;

import org.jspecify.annotations.NullMarked;
