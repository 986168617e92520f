/** A load generator for servers that speak the OpenAI API: when requests are sent, what they ask, and what is measured of them. */
@NullMarked
package dev.troupe.load;

import org.jspecify.annotations.NullMarked;
