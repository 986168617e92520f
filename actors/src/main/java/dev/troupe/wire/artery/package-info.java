/** Pekko's own road between nodes under mutual TLS, and who may be a member by its certificate. */
@NullMarked
package dev.troupe.wire.artery;

import org.jspecify.annotations.NullMarked;
