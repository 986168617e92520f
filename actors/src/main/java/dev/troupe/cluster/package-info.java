/** One node's place in the cluster: everything below, put together. */
@NullMarked
package dev.troupe.cluster;

import org.jspecify.annotations.NullMarked;
