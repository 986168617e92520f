package dev.troupe.cluster.identity;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** What a node offers to the cluster. A node may have several. */
public enum NodeRole {
    /** Schedulers and pipeline stages. */
    CONTROL,
    /** Generations, and whatever clients talk to. */
    FRONTEND,
    /** Tensor-parallel ranks, on devices. */
    COMPUTE,
    /** Shared prefix blocks. */
    CACHE;

    /** As it stands in a configuration and in {@code pekko.cluster.roles}. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * The role of that label.
     *
     * @throws IllegalArgumentException if there is none; it names those that exist
     */
    public static NodeRole of(String label) {
        return Arrays.stream(values())
                .filter(role -> role.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("role '%s' does not exist; these do: %s"
                        .formatted(
                                label,
                                Arrays.stream(values()).map(NodeRole::label).collect(Collectors.joining(", ")))));
    }
}
