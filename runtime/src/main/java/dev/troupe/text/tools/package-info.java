/** Calls of tools as models write them: in prompts, in guides and in completions. */
@NullMarked
package dev.troupe.text.tools;

import org.jspecify.annotations.NullMarked;
