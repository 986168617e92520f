package dev.troupe.wire.tls;

import java.util.Arrays;
import java.util.Collection;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What the holder of a certificate may be. Each role stands in the certificate as a URI among the subject's other names,
 * for example {@code troupe:role:compute}.
 */
public enum CertificateRole {
    /** A node with schedulers and pipeline stages. */
    CONTROL,
    /** A node with generations. */
    FRONTEND,
    /** A node with tensor-parallel ranks. */
    COMPUTE,
    /** A node with shared prefix blocks. */
    CACHE,
    /** A program that asks the cluster and is no member of it. */
    CLIENT;

    /** Roles whose nodes exchange tensors. */
    public static final Set<CertificateRole> ON_THE_LANE = Set.of(CONTROL, COMPUTE, CACHE);

    private static final String PREFIX = "troupe:role:";

    /** As people and configurations write it. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The URI that stands for this role. */
    public String uri() {
        return PREFIX + label();
    }

    /** Whether its holder may be a member of the cluster. */
    public boolean isNode() {
        return this != CLIENT;
    }

    /**
     * The role of that label.
     *
     * @throws IllegalArgumentException if there is none; it names those that exist
     */
    public static CertificateRole of(String label) {
        return Arrays.stream(values())
                .filter(role -> role.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("role '%s' does not exist; these do: %s"
                        .formatted(label, labels(EnumSet.allOf(CertificateRole.class)))));
    }

    /** The role that {@code uri} stands for, if any. */
    static Optional<CertificateRole> ofUri(String uri) {
        return Arrays.stream(values()).filter(role -> role.uri().equals(uri)).findFirst();
    }

    /** For people: in the order of this type, or {@code none}. */
    public static String labels(Collection<CertificateRole> roles) {
        return roles.isEmpty()
                ? "none"
                : roles.stream().sorted().map(CertificateRole::label).collect(Collectors.joining(", "));
    }
}
