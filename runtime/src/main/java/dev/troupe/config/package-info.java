/** Configuration: read once into records that check themselves. */
@NullMarked
package dev.troupe.config;

import org.jspecify.annotations.NullMarked;
