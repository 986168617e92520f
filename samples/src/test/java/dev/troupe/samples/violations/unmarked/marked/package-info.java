/** Marked: no violation. */
@NullMarked
package dev.troupe.samples.violations.unmarked.marked;

import org.jspecify.annotations.NullMarked;
