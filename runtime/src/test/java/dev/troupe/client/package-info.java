@NullMarked
package dev.troupe.client;

import org.jspecify.annotations.NullMarked;
