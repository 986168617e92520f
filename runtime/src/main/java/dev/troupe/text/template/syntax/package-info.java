/** The source of a template to statements and expressions. */
@NullMarked
package dev.troupe.text.template.syntax;

import org.jspecify.annotations.NullMarked;
