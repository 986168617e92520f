/** One rank's paged keys and values. */
@NullMarked
package dev.troupe.kvstore;

import org.jspecify.annotations.NullMarked;
