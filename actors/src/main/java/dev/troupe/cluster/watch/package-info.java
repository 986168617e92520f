/** Losing nodes: who is lost, what it hosted, whom to tell. */
@NullMarked
package dev.troupe.cluster.watch;

import org.jspecify.annotations.NullMarked;
