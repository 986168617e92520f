/** Chat templates: messages of a chat to the text that a model reads. */
@NullMarked
package dev.troupe.text.template;

import org.jspecify.annotations.NullMarked;
