/** Who is who between nodes: certificates that carry roles, and mutual TLS 1.3 under one authority. */
@NullMarked
package dev.troupe.wire.tls;

import org.jspecify.annotations.NullMarked;
