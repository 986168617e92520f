/** Faults on purpose: agents on nodes that inject them, and what proves that a stream did not notice. */
@NullMarked
package dev.troupe.chaos;

import org.jspecify.annotations.NullMarked;
