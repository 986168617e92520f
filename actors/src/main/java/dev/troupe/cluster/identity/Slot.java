package dev.troupe.cluster.identity;

import java.util.Comparator;
import java.util.regex.Pattern;

/**
 * A cluster shard that stands for one place of one process incarnation, printed as {@code host:port#uid/cpu0}. An entity
 * whose id ends in {@code @slot} lives there and nowhere else, and never moves.
 *
 * @param node whose
 * @param place {@code control}, {@code frontend}, {@code cache}, or the name of a device such as {@code cpu0}
 */
public record Slot(Incarnation node, String place) implements Comparable<Slot> {
    private static final Pattern PLACE = Pattern.compile("[a-z][a-z0-9-]{0,31}");
    private static final Comparator<Slot> ORDER =
            Comparator.comparing(Slot::node).thenComparing(Slot::place);

    public Slot {
        if (!PLACE.matcher(place).matches()) {
            throw new IllegalArgumentException(
                    "place '%s' of %s; expected lower-case letters, digits and hyphens, at most 32"
                            .formatted(place, node));
        }
    }

    /** The slot of {@code role} on {@code node}; devices have slots of their own. */
    public static Slot of(Incarnation node, NodeRole role) {
        if (role == NodeRole.COMPUTE) {
            throw new IllegalArgumentException("compute on %s is no slot: its devices are".formatted(node));
        }
        return new Slot(node, role.label());
    }

    /** What it offers. */
    public NodeRole role() {
        return switch (place) {
            case "control" -> NodeRole.CONTROL;
            case "frontend" -> NodeRole.FRONTEND;
            case "cache" -> NodeRole.CACHE;
            default -> NodeRole.COMPUTE;
        };
    }

    /**
     * Reads what {@link #toString} prints.
     *
     * @throws IllegalArgumentException if it is anything else
     */
    public static Slot parse(String text) {
        int slash = text.indexOf('/');
        if (slash < 0) {
            throw new IllegalArgumentException("'%s' is no slot; expected host:port#uid/place".formatted(text));
        }
        return new Slot(Incarnation.parse(text.substring(0, slash)), text.substring(slash + 1));
    }

    /**
     * The slot that an entity id names after its last {@code @}.
     *
     * @throws IllegalArgumentException if it names none
     */
    public static Slot ofEntity(String entityId) {
        int at = entityId.lastIndexOf('@');
        if (at < 0) {
            throw new IllegalArgumentException("entity '%s' names no slot; expected name@slot".formatted(entityId));
        }
        return parse(entityId.substring(at + 1));
    }

    /** The id of the entity {@code name} in this slot. */
    public String entity(String name) {
        return name + "@" + this;
    }

    @Override
    public int compareTo(Slot other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return node + "/" + place;
    }
}
