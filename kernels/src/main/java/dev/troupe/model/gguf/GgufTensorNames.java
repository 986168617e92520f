package dev.troupe.model.gguf;

import dev.troupe.model.DecoderTensors;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Names of tensors in GGUF files, and what {@link DecoderTensors} calls them.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#standardized-tensor-names">GGUF: standardized
 *     tensor names</a>
 */
final class GgufTensorNames {
    static final String EMBEDDING = "token_embd.weight";

    private static final Map<String, String> OUTER = Map.of(
            EMBEDDING,
            DecoderTensors.EMBEDDING,
            "output_norm.weight",
            DecoderTensors.FINAL_NORM,
            "output.weight",
            DecoderTensors.HEAD);

    /** Vectors of a layer, whole names. */
    private static final Map<String, String> NORMS = Map.of(
            "attn_norm.weight", DecoderTensors.INPUT_NORM,
            "ffn_norm.weight", DecoderTensors.POST_NORM,
            "attn_q_norm.weight", DecoderTensors.QUERY_NORM,
            "attn_k_norm.weight", DecoderTensors.KEY_NORM);

    /** Projections of a layer, with a weight and perhaps a bias. */
    private static final Map<String, String> PROJECTIONS = Map.of(
            "attn_q", DecoderTensors.QUERY,
            "attn_k", DecoderTensors.KEY,
            "attn_v", DecoderTensors.VALUE,
            "attn_output", DecoderTensors.ATTENTION_OUT,
            "ffn_gate", DecoderTensors.GATE,
            "ffn_up", DecoderTensors.UP,
            "ffn_down", DecoderTensors.DOWN);

    private static final Pattern LAYER = Pattern.compile("blk\\.(0|[1-9]\\d{0,8})\\.(([a-z_]+)\\.(weight|bias))");

    private static final Pattern CHECKPOINT_LAYER = Pattern.compile("model\\.layers\\.(\\d+)\\.(.+)");

    private GgufTensorNames() {}

    /** What a checkpoint calls the tensor, or null if no decoder has it. */
    static @Nullable String inCheckpoint(String name) {
        Matcher matcher = LAYER.matcher(name);
        if (!matcher.matches()) {
            return OUTER.get(name);
        }
        String norm = NORMS.get(matcher.group(2));
        String projection = PROJECTIONS.get(matcher.group(3));
        int layer = Integer.parseInt(matcher.group(1));
        if (norm != null) {
            return DecoderTensors.layer(layer, norm);
        }
        return projection == null ? null : DecoderTensors.layer(layer, projection + "." + matcher.group(4));
    }

    /** The name in a GGUF file of a tensor of {@link DecoderTensors}. */
    static String inFile(String checkpointName) {
        Matcher matcher = CHECKPOINT_LAYER.matcher(checkpointName);
        if (!matcher.matches()) {
            return keyOf(OUTER, checkpointName);
        }
        String part = matcher.group(2);
        if (NORMS.containsValue(part)) {
            return "blk.%s.%s".formatted(matcher.group(1), keyOf(NORMS, part));
        }
        int dot = part.lastIndexOf('.');
        return "blk.%s.%s%s"
                .formatted(matcher.group(1), keyOf(PROJECTIONS, part.substring(0, dot)), part.substring(dot));
    }

    private static String keyOf(Map<String, String> names, String value) {
        return names.entrySet().stream()
                .filter(entry -> entry.getValue().equals(value))
                .map(Map.Entry::getKey)
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("a decoder has no tensor %s".formatted(value)));
    }

    /** Whether the tensor makes queries or keys, which are rotated. */
    static boolean isRotated(String name) {
        Matcher matcher = LAYER.matcher(name);
        return matcher.matches()
                && (matcher.group(3).equals("attn_q") || matcher.group(3).equals("attn_k"));
    }
}
