/** Models as lists of segments: configuration, partition, and one rank's share of the arithmetic. */
@NullMarked
package dev.troupe.model;

import org.jspecify.annotations.NullMarked;
