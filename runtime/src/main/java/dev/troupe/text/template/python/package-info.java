/** Values as Python has them: numbers, comparison, parts, text, JSON. */
@NullMarked
package dev.troupe.text.template.python;

import org.jspecify.annotations.NullMarked;
