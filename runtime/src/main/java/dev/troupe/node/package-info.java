/** A process of the cluster: what it starts, and how one process starts others. */
@NullMarked
package dev.troupe.node;

import org.jspecify.annotations.NullMarked;
