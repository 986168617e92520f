package dev.troupe.model.gguf;

import dev.troupe.model.ModelConfig;
import dev.troupe.weights.WeightFormatException;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufMetadata;
import dev.troupe.weights.gguf.GgufParts;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;

/**
 * The configuration of a model from the metadata of its GGUF file and from which tensors it has. A setting that would
 * change the arithmetic and is not supported is refused, never ignored.
 */
final class GgufConfigReader {
    private static final String ARCHITECTURE = "general.architecture";
    private static final String TOKENS = "tokenizer.ggml.tokens";
    private static final String BOS = "tokenizer.ggml.bos_token_id";

    /** Keys of tokens that end a text or a turn. */
    private static final List<String> ENDS =
            List.of("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id");

    /** A layer has two norms, four matrices of attention and three of the feed-forward block at least. */
    private static final int LEAST_TENSORS_PER_LAYER = 9;

    private final GgufParts parts;
    private final GgufArchitecture architecture;
    private final GgufKeys keys;

    private GgufConfigReader(GgufParts parts, GgufArchitecture architecture) {
        this.parts = parts;
        this.architecture = architecture;
        this.keys = new GgufKeys(parts.metadata(), architecture);
    }

    /** @throws WeightFormatException if the architecture has no value, or none that works */
    static GgufArchitecture architecture(GgufMetadata metadata) throws WeightFormatException {
        String type = metadata.text("general.type").orElse("model");
        if (!type.equals("model")) {
            throw metadata.wrong("general.type", "model: other files than models are not supported");
        }
        return GgufArchitecture.of(metadata.text(ARCHITECTURE).orElse(""))
                .orElseThrow(() -> metadata.wrong(ARCHITECTURE, "one of " + GgufArchitecture.labels()));
    }

    /**
     * Reads the configuration.
     *
     * @throws WeightFormatException if it is malformed, contradicts itself or asks for what is not supported
     */
    static ModelConfig read(GgufParts parts, GgufArchitecture architecture) throws WeightFormatException {
        GgufConfigReader reader = new GgufConfigReader(parts, architecture);
        GgufSettings.refuse(reader.keys);
        try {
            return reader.read();
        } catch (IllegalArgumentException e) {
            throw new WeightFormatException("%s: %s".formatted(parts.path(), e.getMessage()), e);
        }
    }

    private ModelConfig read() throws WeightFormatException {
        int layers = layers();
        int hiddenSize = keys.requireInteger("embedding_length");
        int heads = keys.requireInteger("attention.head_count");
        int headDim = headDim(hiddenSize, heads);
        int maxPositions = keys.requireInteger("context_length");
        int vocabularySize = vocabularySize();
        int window = window(maxPositions);
        OptionalInt bos = keys.token(BOS, vocabularySize);
        return new ModelConfig(
                architecture.label(),
                layers,
                hiddenSize,
                keys.requireInteger("feed_forward_length"),
                heads,
                keys.integer("attention.head_count_kv").orElse(heads),
                headDim,
                vocabularySize,
                maxPositions,
                (float) keys.requirePositive("attention.layer_norm_rms_epsilon"),
                GgufRopeReader.read(keys, parts, headDim, maxPositions),
                window,
                Collections.nCopies(layers, window > 0),
                parts.find("output.weight") == null,
                hasFirst("attn_q.bias"),
                hasFirst("attn_output.bias"),
                hasFirst("ffn_down.bias"),
                architecture == GgufArchitecture.QWEN3,
                bos.isPresent() ? bos.getAsInt() : null,
                List.copyOf(ends(vocabularySize)));
    }

    private int layers() throws WeightFormatException {
        int layers = keys.requireInteger("block_count");
        int tensors = parts.tensors().size();
        if (layers > tensors / LEAST_TENSORS_PER_LAYER) {
            throw keys.wrong(
                    "block_count",
                    "at most %d, as the %d tensors allow".formatted(tensors / LEAST_TENSORS_PER_LAYER, tensors));
        }
        return layers;
    }

    private int headDim(int hiddenSize, int heads) throws WeightFormatException {
        if (!keys.has("attention.key_length") && hiddenSize % heads != 0) {
            throw keys.wrong(
                    "embedding_length",
                    "a multiple of attention.head_count = %d, or an attention.key_length".formatted(heads));
        }
        int headDim = keys.integer("attention.key_length").orElse(hiddenSize / heads);
        if (keys.integer("attention.value_length").orElse(headDim) != headDim) {
            throw keys.wrong(
                    "attention.value_length", "%d, as keys have it: others are not supported".formatted(headDim));
        }
        return headDim;
    }

    /** As the key says, else the number of tokens, else the rows of the embedding table. */
    private int vocabularySize() throws WeightFormatException {
        long tokens = parts.metadata().count(TOKENS);
        WeightTensor embedding = parts.find(GgufTensorNames.EMBEDDING);
        long rows = embedding == null ? 0 : embedding.rows();
        long size = keys.has("vocab_size") ? keys.requireInteger("vocab_size") : tokens > 0 ? tokens : rows;
        if (tokens > size) {
            throw keys.wrong("vocab_size", "at least the %d of %s".formatted(tokens, TOKENS));
        }
        if (size > Integer.MAX_VALUE) {
            throw parts.metadata().wrong(TOKENS, "at most %d elements".formatted(Integer.MAX_VALUE));
        }
        return (int) size;
    }

    /**
     * Visible tokens, or 0 where all are. A window stands for all layers in files of Mistral, which say llama; for others
     * no file says which layers it is for.
     */
    private int window(int maxPositions) throws WeightFormatException {
        int window = keys.integer("attention.sliding_window").orElse(0);
        if (architecture == GgufArchitecture.LLAMA) {
            return window;
        }
        if (window > 0 && window < maxPositions) {
            throw keys.wrong(
                    "attention.sliding_window",
                    "none, or at least context_length = %d: a window is not supported for %s"
                            .formatted(maxPositions, architecture.label()));
        }
        return 0;
    }

    private boolean hasFirst(String part) {
        return parts.find("blk.0." + part) != null;
    }

    private Set<Integer> ends(int vocabularySize) throws WeightFormatException {
        Set<Integer> ends = new TreeSet<>();
        for (String key : ENDS) {
            keys.token(key, vocabularySize).ifPresent(ends::add);
        }
        return ends;
    }
}
