package dev.troupe.wire.lane;

import dev.troupe.wire.frame.Hello;
import org.jspecify.annotations.Nullable;

/** Who may speak to this node, from what the other side says of itself. */
final class Admission {
    private final String protocol;
    private final LaneAddress own;

    Admission(String protocol, LaneAddress own) {
        this.protocol = protocol;
        this.own = own;
    }

    /** Whether this node dials {@code peer}; it calls otherwise. */
    boolean dials(LaneAddress peer) {
        return own.compareTo(peer) < 0;
    }

    /** Why the sender of {@code hello}, who has made the connection, may not speak; null when it may. */
    @Nullable
    String objection(Hello hello) {
        if (!hello.protocol().equals(protocol)) {
            return otherProtocol(hello);
        }
        if (!hello.to().equals(own.toString())) {
            return "this is the lane %s, not %s: every node must know it under one address, troupe.node.host and troupe.wire.lane-port"
                    .formatted(own, hello.to());
        }
        LaneAddress from;
        try {
            from = LaneAddress.parse(hello.from());
        } catch (IllegalArgumentException e) {
            return e.getMessage();
        }
        boolean theirTurn = hello.purpose() == Hello.Purpose.CARRY ? !dials(from) : dials(from);
        if (from.equals(own) || !theirTurn) {
            return "of %s and %s the smaller address dials and the larger calls".formatted(from, own);
        }
        return null;
    }

    /** Why the answer to our greeting of {@code wanted} is not good; null when it is. */
    @Nullable
    String objectionToAnswer(Hello hello, LaneAddress wanted) {
        if (!hello.protocol().equals(protocol)) {
            return otherProtocol(hello);
        }
        return hello.from().equals(wanted.toString()) ? null : "it is the lane " + hello.from();
    }

    private String otherProtocol(Hello hello) {
        return "%s speaks protocol %s, %s speaks %s: run the same version of Troupe on all nodes"
                .formatted(hello.from(), hello.protocol(), own, protocol);
    }
}
