/** What a template may use, and how it fails. */
@NullMarked
package dev.troupe.text.template.limit;

import org.jspecify.annotations.NullMarked;
