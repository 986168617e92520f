/** Tests of the HTTP routes, over real connections. */
@NullMarked
package dev.troupe.http;

import org.jspecify.annotations.NullMarked;
