/** What the steps of an epoch cost and how full they keep its stages, for reports. */
@NullMarked
package dev.troupe.serving.meter;

import org.jspecify.annotations.NullMarked;
