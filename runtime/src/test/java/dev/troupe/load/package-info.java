@NullMarked
package dev.troupe.load;

import org.jspecify.annotations.NullMarked;
