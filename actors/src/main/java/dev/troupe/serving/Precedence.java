package dev.troupe.serving;

/**
 * Where a request stands among those of its tenant: a priority moves it past the tenant's other requests and past nobody else's.
 *
 * <p>Waiting counts. A request may be overtaken by {@value #OVERTAKERS} later ones for each level that these are before it, and by
 * no more: then it has its turn, whatever else comes. Because all that waits ages alike, this is one number that never changes.
 *
 * @param priority {@value #FIRST} to {@value #LAST}, the lowest first; usually 0
 * @param tenant whose request it is; those without a name are one tenant
 */
public record Precedence(int priority, String tenant) {
    /** The priority that goes before all others. */
    public static final int FIRST = -100;

    /** The priority that goes after all others. */
    public static final int LAST = 100;

    /** Later requests that may pass an earlier one for each level of priority between them. */
    public static final int OVERTAKERS = 16;

    /** The longest name of a tenant, in characters. */
    public static final int MAX_TENANT = 256;

    /** Of a request that asks for nothing. */
    public static final Precedence NONE = new Precedence(0, "");

    public Precedence {
        if (priority < FIRST || priority > LAST) {
            throw new IllegalArgumentException("priority=%d, expected %d to %d".formatted(priority, FIRST, LAST));
        }
        if (tenant.length() > MAX_TENANT) {
            throw new IllegalArgumentException(
                    "the tenant's name has %d characters, expected at most %d".formatted(tenant.length(), MAX_TENANT));
        }
    }

    /**
     * Its place among the requests of its tenant, the lowest first; of equal ones the one that came first.
     *
     * @param arrival a number that rises with every request that comes
     */
    public long rank(long arrival) {
        return arrival + (long) OVERTAKERS * priority;
    }
}
