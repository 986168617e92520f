package dev.troupe.cluster.guardian;

import dev.troupe.model.checkpoint.Fingerprint;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What a node knows about a checkpoint it can load.
 *
 * @param registered what it tells others
 * @param parts digests by name of tensor or file, to say where two checkpoints differ; empty where they were not computed
 */
public record ModelCard(RegisteredModel registered, Map<String, String> parts) {
    /** Hexadecimal digits of a digest that are kept: enough to tell two apart, few enough for a message. */
    private static final int DIGITS = 16;

    public ModelCard {
        parts = Map.copyOf(parts);
    }

    /** The card of a checkpoint whose fingerprint was computed. */
    public static ModelCard of(String id, Fingerprint fingerprint) {
        Map<String, String> parts = new TreeMap<>();
        fingerprint.parts().forEach((name, digest) -> parts.put(name, digest.substring(0, DIGITS)));
        return new ModelCard(new RegisteredModel(id, fingerprint.value()), parts);
    }

    /** The card of a checkpoint whose fingerprint is not known: it is taken for the same as others of its id. */
    public static ModelCard unchecked(String id) {
        return new ModelCard(new RegisteredModel(id, ""), Map.of());
    }

    /** Says where the checkpoint of another node differs from this one, as far as both know. */
    public Optional<String> difference(Map<String, String> others) {
        if (parts.isEmpty() || others.isEmpty()) {
            return Optional.empty();
        }
        TreeMap<String, String> all = new TreeMap<>(parts);
        others.forEach(all::putIfAbsent);
        for (String name : all.keySet()) {
            String here = parts.getOrDefault(name, "absent");
            String there = others.getOrDefault(name, "absent");
            if (!here.equals(there)) {
                return Optional.of("%s differs: here %s, there %s; copy one checkpoint to both nodes"
                        .formatted(name, here, there));
            }
        }
        return Optional.empty();
    }
}
