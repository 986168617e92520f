/** From devices and a model to a partition and a placement. */
@NullMarked
package dev.troupe.plan;

import org.jspecify.annotations.NullMarked;
