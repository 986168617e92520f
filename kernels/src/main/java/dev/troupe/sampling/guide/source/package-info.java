/** What a client writes to guide decoding, regular expressions, JSON schemas and choices, as languages of bytes. */
@NullMarked
package dev.troupe.sampling.guide.source;

import org.jspecify.annotations.NullMarked;
