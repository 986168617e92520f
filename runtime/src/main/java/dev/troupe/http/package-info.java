/** HTTP: the routes of the OpenAI API over a running Troupe, health and metrics. */
@NullMarked
package dev.troupe.http;

import org.jspecify.annotations.NullMarked;
