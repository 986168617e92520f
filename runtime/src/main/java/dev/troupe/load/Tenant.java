package dev.troupe.load;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;

/**
 * On whose behalf requests are sent.
 *
 * @param name what the report calls it; empty if there is only one
 * @param key its API key, or empty for none
 * @param weight how much it ought to get beside the others
 */
public record Tenant(String name, String key, double weight) {

    /**
     * The tenants of {@code NAME=KEY:WEIGHT,...}; a weight that is left out is 1.
     *
     * @throws IllegalArgumentException if it is written differently; keys are not repeated in the message
     */
    public static List<Tenant> parse(String text) {
        List<Tenant> tenants = new ArrayList<>();
        for (String part : text.split(",", -1)) {
            int equals = part.indexOf('=');
            int colon = part.lastIndexOf(':');
            String weight = colon > equals && part.substring(colon + 1).matches("[0-9]{1,9}(\\.[0-9]{1,9})?")
                    ? part.substring(colon + 1)
                    : "";
            String key = part.substring(equals + 1, weight.isEmpty() ? part.length() : colon);
            String name = part.substring(0, Math.max(0, equals)).strip();
            double value = weight.isEmpty() ? 1 : Double.parseDouble(weight);
            if (name.isEmpty() || key.isEmpty() || value == 0) {
                throw new IllegalArgumentException(
                        "tenant %d of %d is not NAME=KEY or NAME=KEY:WEIGHT with a weight above 0; for example a=KEY-OF-A:2,b=KEY-OF-B:1"
                                .formatted(tenants.size() + 1, text.split(",", -1).length));
            }
            tenants.add(new Tenant(name, key, value));
        }
        if (tenants.stream().map(Tenant::name).distinct().count() < tenants.size()) {
            throw new IllegalArgumentException("two tenants have the same name; every name is for one key");
        }
        return tenants;
    }

    /**
     * Jain's index of fairness: 1 if all shares are equal, 1/n if one of n has all (R. Jain, D. Chiu, W. Hawe, "A Quantitative Measure
     * of Fairness and Discrimination for Resource Allocation in Shared Computer Systems", DEC-TR-301, 1984); empty if nobody has anything.
     */
    static OptionalDouble fairness(List<Double> shares) {
        double sum = 0;
        double squares = 0;
        for (double share : shares) {
            sum += share;
            squares += share * share;
        }
        return squares == 0 ? OptionalDouble.empty() : OptionalDouble.of(sum * sum / (shares.size() * squares));
    }

    /** Without the key, which belongs into no log. */
    @Override
    public String toString() {
        return "Tenant[name=%s, weight=%s]".formatted(name, weight);
    }
}
