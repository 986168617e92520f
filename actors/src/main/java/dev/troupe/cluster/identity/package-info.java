/** Names: roles, incarnations of processes, slots, and the entities that live in them. */
@NullMarked
package dev.troupe.cluster.identity;

import org.jspecify.annotations.NullMarked;
