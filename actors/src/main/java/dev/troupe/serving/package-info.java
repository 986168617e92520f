/** Requests to steps: sequences, block allocation, step planning, scheduling, generations. */
@NullMarked
package dev.troupe.serving;

import org.jspecify.annotations.NullMarked;
