/** How fast single operations are on a device, beside what it can do at most. */
@NullMarked
package dev.troupe.kernel.measure;

import org.jspecify.annotations.NullMarked;
