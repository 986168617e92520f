/** The facade for Java programs, and the front-end actor it talks to. */
@NullMarked
package dev.troupe.client;

import org.jspecify.annotations.NullMarked;
