/** Benchmarks that need more than one process. */
@NullMarked
package dev.troupe.bench;

import org.jspecify.annotations.NullMarked;
