package dev.troupe.cluster.guardian;

import dev.troupe.cluster.identity.Incarnation;
import dev.troupe.stage.Epoch;
import java.util.Map;

/** A guardian's answer to a ballot. */
public sealed interface Vote {
    /** The ballot that it is about. */
    Epoch epoch();

    /** Who votes. */
    Incarnation node();

    /**
     * The node has promised the ballot: it accepts no lower one of this replica any more, and its devices may be used.
     *
     * @param info what it offers
     */
    record Promised(Epoch epoch, NodeInfo info) implements Vote {
        @Override
        public Incarnation node() {
            return info.node();
        }
    }

    /**
     * The node has promised a higher one.
     *
     * @param highest that one
     */
    record Refused(Epoch epoch, Incarnation node, Epoch highest) implements Vote {}

    /**
     * The node has promised the ballot, but its devices cannot take part.
     *
     * @param reason for people
     * @param parts digests of its checkpoint's tensors and files by name, when the reason is another checkpoint
     */
    record Unfit(Epoch epoch, Incarnation node, String reason, Map<String, String> parts) implements Vote {
        public Unfit {
            parts = Map.copyOf(parts);
        }
    }
}
