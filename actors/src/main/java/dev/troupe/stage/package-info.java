/** Steps on ranks and stages: the shard actors, their exchanges, and the messages between them. */
@NullMarked
package dev.troupe.stage;

import org.jspecify.annotations.NullMarked;
