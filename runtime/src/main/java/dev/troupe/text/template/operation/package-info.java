/** What operators and formats make of values. */
@NullMarked
package dev.troupe.text.template.operation;

import org.jspecify.annotations.NullMarked;
