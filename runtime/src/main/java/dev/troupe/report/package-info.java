/** Tables and pictures for people. */
@NullMarked
package dev.troupe.report;

import org.jspecify.annotations.NullMarked;
