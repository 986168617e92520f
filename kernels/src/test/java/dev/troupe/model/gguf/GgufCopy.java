package dev.troupe.model.gguf;

import dev.troupe.model.ModelConfig;
import dev.troupe.model.RopeConfig;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.tensor.DType;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufWriter;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/** Writes a checkpoint as the GGUF file that a converter would make of it, the order of q and k included. */
public final class GgufCopy {
    private final Checkpoint checkpoint;
    private final ModelConfig config;

    private GgufCopy(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
    }

    /** Writes all of it into one file. */
    public static Path write(Checkpoint checkpoint, Path file) throws IOException {
        return write(checkpoint, file, writer -> {}, tensor -> true);
    }

    /**
     * Writes some of its tensors, under the metadata of all of it.
     *
     * @param more adds keys
     */
    public static Path write(
            Checkpoint checkpoint, Path file, Consumer<GgufWriter> more, Predicate<WeightTensor> tensors)
            throws IOException {
        GgufCopy copy = new GgufCopy(checkpoint);
        GgufWriter writer = new GgufWriter();
        copy.addKeys(writer);
        more.accept(writer);
        copy.addTensors(writer, tensors);
        writer.write(file);
        return file;
    }

    /** The architecture that a file of this family names. */
    private String architecture() {
        return config.modelType().equals("mistral") ? "llama" : config.modelType();
    }

    private void addKeys(GgufWriter writer) {
        String prefix = architecture() + ".";
        writer.text("general.architecture", architecture())
                .integer(prefix + "context_length", config.maxPositions())
                .integer(prefix + "embedding_length", config.hiddenSize())
                .integer(prefix + "block_count", config.layers())
                .integer(prefix + "feed_forward_length", config.intermediateSize())
                .integer(prefix + "attention.head_count", config.heads())
                .integer(prefix + "attention.head_count_kv", config.kvHeads())
                .integer(prefix + "attention.key_length", config.headDim())
                .integer(prefix + "attention.value_length", config.headDim())
                .number(prefix + "attention.layer_norm_rms_epsilon", config.rmsNormEps())
                .integer(prefix + "vocab_size", config.vocabularySize())
                .integer(prefix + "rope.dimension_count", config.headDim())
                .number(prefix + "rope.freq_base", (float) config.rope().theta());
        if (config.slidingWindow() > 0) {
            writer.integer(prefix + "attention.sliding_window", config.slidingWindow());
        }
        if (config.bosToken() != null) {
            writer.integer("tokenizer.ggml.bos_token_id", config.bosToken());
        }
        if (!config.eosTokens().isEmpty()) {
            writer.integer("tokenizer.ggml.eos_token_id", config.eosTokens().getFirst());
        }
        addScaling(writer, prefix + "rope.scaling.");
    }

    private void addScaling(GgufWriter writer, String prefix) {
        switch (config.rope().scaling()) {
            case RopeConfig.None() -> {}
            case RopeConfig.Linear(double factor) ->
                writer.text(prefix + "type", "linear").number(prefix + "factor", (float) factor);
            case RopeConfig.Yarn yarn ->
                writer.text(prefix + "type", "yarn")
                        .number(prefix + "factor", (float) yarn.factor())
                        .integer(prefix + "original_context_length", (long) yarn.originalMaxPositions());
            case RopeConfig.Factors(List<Float> factors) -> addFactors(writer, factors);
            case RopeConfig.Llama3 rule -> addFactors(writer, factors(rule));
        }
    }

    /** The formula of Llama 3.1 as factors of frequencies, rounded to f32. */
    private List<Float> factors(RopeConfig.Llama3 rule) {
        return IntStream.range(0, config.headDim() / 2)
                .mapToObj(i -> {
                    double turns = rule.originalMaxPositions()
                            / StrictMath.pow(config.rope().theta(), 2.0 * i / config.headDim())
                            / (2 * Math.PI);
                    double kept = Math.clamp(
                            (turns - rule.lowFrequencyFactor())
                                    / (rule.highFrequencyFactor() - rule.lowFrequencyFactor()),
                            0,
                            1);
                    return (float) (1 / ((1 - kept) / rule.factor() + kept));
                })
                .toList();
    }

    private static void addFactors(GgufWriter writer, List<Float> factors) {
        MemorySegment bytes = Arena.ofAuto().allocate(4L * factors.size(), 4);
        for (int i = 0; i < factors.size(); i++) {
            bytes.setAtIndex(ValueLayout.JAVA_FLOAT, i, factors.get(i));
        }
        writer.tensor(GgufRopeReader.FACTORS, DType.F32, List.of((long) factors.size()), () -> bytes);
    }

    private void addTensors(GgufWriter writer, Predicate<WeightTensor> wanted) {
        boolean interleaved = architecture().equals("llama");
        for (WeightTensor tensor : checkpoint.weights().tensors()) {
            if (wanted.test(tensor)) {
                String name = GgufTensorNames.inFile(tensor.name());
                boolean turned = interleaved && GgufTensorNames.isRotated(name);
                writer.tensor(name, Objects.requireNonNull(tensor.type()), tensor.shape(), () -> {
                    MemorySegment bytes = checkpoint.weights().bytes(tensor, Arena.ofAuto());
                    return turned ? neighbours(tensor, bytes) : bytes;
                });
            }
        }
    }

    /** Row i of the first half of a head to 2i, of the second half to 2i + 1; a bias has rows of one element. */
    private MemorySegment neighbours(WeightTensor tensor, MemorySegment halves) {
        long rowBytes = tensor.shape().size() > 1 ? tensor.rowBytes() : tensor.byteSize() / tensor.elements();
        MemorySegment turned = Arena.ofAuto().allocate(halves.byteSize(), 64);
        int half = config.headDim() / 2;
        for (long head = 0; head < halves.byteSize() / rowBytes; head += config.headDim()) {
            for (int i = 0; i < half; i++) {
                MemorySegment.copy(halves, (head + i) * rowBytes, turned, (head + 2L * i) * rowBytes, rowBytes);
                MemorySegment.copy(
                        halves, (head + half + i) * rowBytes, turned, (head + 2L * i + 1) * rowBytes, rowBytes);
            }
        }
        return turned;
    }
}
