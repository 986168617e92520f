/** Winning a ballot and choosing slots for a replica. */
@NullMarked
package dev.troupe.cluster.placement;

import org.jspecify.annotations.NullMarked;
