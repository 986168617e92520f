/** The command line: one class per command of the {@code troupe} launcher. */
@NullMarked
package dev.troupe.cli;

import org.jspecify.annotations.NullMarked;
