/** Statements and expressions to text. */
@NullMarked
package dev.troupe.text.template.render;

import org.jspecify.annotations.NullMarked;
