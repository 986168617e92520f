/** Block-quantised weights unpacked to panels of integer-valued floats, and the products of many tokens with them. */
@NullMarked
package dev.troupe.kernel.vector.panel;

import org.jspecify.annotations.NullMarked;
