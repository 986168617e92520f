/** Filters, tests, methods and functions that a template can call. */
@NullMarked
package dev.troupe.text.template.library;

import org.jspecify.annotations.NullMarked;
