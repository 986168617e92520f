/** KV blocks: the pool of one replica, and what its blocks hold. */
@NullMarked
package dev.troupe.kvcache;

import org.jspecify.annotations.NullMarked;
