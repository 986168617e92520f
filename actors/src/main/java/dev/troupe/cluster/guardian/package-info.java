/** What a node knows about itself and promises to others. */
@NullMarked
package dev.troupe.cluster.guardian;

import org.jspecify.annotations.NullMarked;
