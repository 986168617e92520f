@NullMarked
package dev.troupe.chaos;

import org.jspecify.annotations.NullMarked;
