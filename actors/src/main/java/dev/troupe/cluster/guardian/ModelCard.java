package dev.troupe.cluster.guardian;

import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What a node knows about a checkpoint it can load.
 *
 * @param registered what it tells others
 * @param tensors digests by tensor name, to say where two checkpoints differ; empty where they were not computed
 */
public record ModelCard(RegisteredModel registered, Map<String, String> tensors) {
    public ModelCard {
        tensors = Map.copyOf(tensors);
    }

    /** Says where the checkpoint of another node differs from this one, as far as both know. */
    public Optional<String> difference(Map<String, String> others) {
        if (tensors.isEmpty() || others.isEmpty()) {
            return Optional.empty();
        }
        TreeMap<String, String> all = new TreeMap<>(tensors);
        others.forEach(all::putIfAbsent);
        for (String name : all.keySet()) {
            String here = tensors.getOrDefault(name, "absent");
            String there = others.getOrDefault(name, "absent");
            if (!here.equals(there)) {
                return Optional.of("tensor %s differs: here %s, there %s; copy one checkpoint to both nodes"
                        .formatted(name, here, there));
            }
        }
        return Optional.of("the tensors are equal, so the configuration or the tokenizer differs");
    }
}
