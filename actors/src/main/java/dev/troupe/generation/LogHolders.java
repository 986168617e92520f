package dev.troupe.generation;

import java.util.List;
import org.apache.pekko.actor.typed.RecipientRef;

/** The nodes that can hold the logs of generations. Asked by any thread. */
public interface LogHolders {
    /** Nobody but this process. */
    LogHolders NONE = new LogHolders() {
        @Override
        public long self() {
            return 0;
        }

        @Override
        public List<Holder> others() {
            return List.of();
        }

        @Override
        public List<Holder> all() {
            return List.of();
        }
    };

    /** Uid of this node's incarnation. */
    long self();

    /** Nodes beside this one that may follow a log which is owned here, the best first. */
    List<Holder> others();

    /** Every node that may hold a log, this one included. */
    List<Holder> all();

    /**
     * A node that can hold logs.
     *
     * @param node its incarnation, {@code host:port#uid}
     */
    record Holder(String node, RecipientRef<LogKeeper.Command> keeper) {}
}
