package dev.troupe.generation;

/**
 * How a client comes back to a generation at another front end: it is kept with the log and says whose the generation is and how its
 * events are made again.
 *
 * @param id by which the client asks for it
 * @param tenant who may come back; nobody else hears that it exists
 * @param form what makes the client's answer of the events: the front ends' business, nothing here reads it
 */
public record Ticket(String id, String tenant, String form) {
    /** The longest form, in characters: it travels in the one message that a log begins with. */
    public static final int MAX_FORM = 64 << 10;

    public Ticket {
        if (id.isEmpty() || form.length() > MAX_FORM) {
            throw new IllegalArgumentException(
                    "ticket %s has a form of %d characters, expected an id and at most %d characters"
                            .formatted(id, form.length(), MAX_FORM));
        }
    }

    /** Whether that tenant may come back with that id. */
    public boolean isFor(String askedId, String asker) {
        return id.equals(askedId) && tenant.equals(asker);
    }
}
