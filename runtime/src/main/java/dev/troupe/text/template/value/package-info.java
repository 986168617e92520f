/** The values of a template that Java has no type of its own for. */
@NullMarked
package dev.troupe.text.template.value;

import org.jspecify.annotations.NullMarked;
