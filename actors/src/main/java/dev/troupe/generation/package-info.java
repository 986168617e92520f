/** Generations: the durable owners of requests, their token logs, and the streams that clients read. */
@NullMarked
package dev.troupe.generation;

import org.jspecify.annotations.NullMarked;
