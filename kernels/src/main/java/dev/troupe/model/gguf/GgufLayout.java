package dev.troupe.model.gguf;

import dev.troupe.model.ModelConfig;
import dev.troupe.model.RopeConfig;
import dev.troupe.tensor.DType;
import dev.troupe.weights.gguf.GgufWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * How a model lies in a GGUF file: its keys, the names of its tensors, and the order of their rows. What {@link GgufModel}
 * reads, the other way round.
 */
public final class GgufLayout {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final ModelConfig config;
    private final GgufArchitecture architecture;
    private final @Nullable RotationOrder order;

    private GgufLayout(ModelConfig config, GgufArchitecture architecture) {
        this.config = config;
        this.architecture = architecture;
        this.order = architecture.interleaved() ? new RotationOrder(config.headDim()) : null;
    }

    /**
     * The layout of a model.
     *
     * @throws IllegalArgumentException if GGUF has no keys for something that the configuration asks for
     */
    public static GgufLayout of(ModelConfig config) {
        String label = config.modelType().equals("mistral") ? GgufArchitecture.LLAMA.label() : config.modelType();
        GgufArchitecture architecture = GgufArchitecture.of(label)
                .orElseThrow(() -> new IllegalArgumentException(
                        "model_type = %s is not written to GGUF files; these are: %s, mistral"
                                .formatted(config.modelType(), GgufArchitecture.labels())));
        GgufConfigWriter.refuse(config, architecture);
        return new GgufLayout(config, architecture);
    }

    /** Adds the keys of the configuration; those of the vocabulary, token ids among them, are somebody else's. */
    public void addKeys(GgufWriter writer) {
        GgufConfigWriter.write(config, architecture, writer);
    }

    /** Adds the tensor of the rotation's factors, where the model has such or a rule that GGUF files have as factors. */
    public void addFactors(GgufWriter writer) {
        List<Float> factors = switch (config.rope().scaling()) {
            case RopeConfig.Factors(List<Float> given) -> given;
            case RopeConfig.Llama3 rule -> factors(rule);
            case RopeConfig.None _, RopeConfig.Linear _, RopeConfig.Yarn _ -> List.of();
        };
        if (factors.isEmpty()) {
            return;
        }
        MemorySegment bytes = MemorySegment.ofArray(new byte[Float.BYTES * factors.size()]);
        for (int i = 0; i < factors.size(); i++) {
            bytes.set(FLOAT, (long) Float.BYTES * i, factors.get(i));
        }
        writer.tensor(GgufRopeReader.FACTORS, DType.F32, List.of((long) factors.size()), () -> bytes);
    }

    /** What the rule of Llama 3.1 divides each frequency by, computed in double and rounded once. */
    private List<Float> factors(RopeConfig.Llama3 rule) {
        return IntStream.range(0, config.headDim() / 2)
                .mapToObj(i -> {
                    double frequency = StrictMath.pow(config.rope().theta(), -2.0 * i / config.headDim());
                    double turns = rule.originalMaxPositions() * frequency / (2 * StrictMath.PI);
                    double kept = (turns - rule.lowFrequencyFactor())
                            / (rule.highFrequencyFactor() - rule.lowFrequencyFactor());
                    double share = Math.clamp(kept, 0.0, 1.0);
                    return (float) (1 / ((1 - share) / rule.factor() + share));
                })
                .toList();
    }

    /** What the file calls a tensor of {@link dev.troupe.model.DecoderTensors}. */
    public String name(String tensor) {
        return GgufTensorNames.inFile(tensor);
    }

    /**
     * Which row of a checkpoint's matrix, or element of its vector, the file has as {@code row}.
     *
     * @param tensor its name in the checkpoint
     */
    public long source(String tensor, long row) {
        return order != null && GgufTensorNames.isRotated(name(tensor)) ? order.inHalves(row) : row;
    }
}
