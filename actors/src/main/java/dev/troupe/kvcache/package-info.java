/** KV blocks: the pool of one replica. */
@NullMarked
package dev.troupe.kvcache;

import org.jspecify.annotations.NullMarked;
