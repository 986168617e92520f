/** Starts other JVMs for tests, talks to them line by line, and kills them. */
@NullMarked
package dev.troupe.process;

import org.jspecify.annotations.NullMarked;
