/** What Python does with values: arithmetic, comparison, text, JSON. */
@NullMarked
package dev.troupe.text.template.python;

import org.jspecify.annotations.NullMarked;
