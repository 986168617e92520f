@NullMarked
package dev.troupe.openai;

import org.jspecify.annotations.NullMarked;
