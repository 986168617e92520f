/** The rules of the four layers, checked against all modules, each seen to fail. */
@NullMarked
package dev.troupe.samples.architecture;

import org.jspecify.annotations.NullMarked;
