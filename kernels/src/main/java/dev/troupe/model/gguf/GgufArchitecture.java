package dev.troupe.model.gguf;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** Values of {@code general.architecture} that work. */
enum GgufArchitecture {
    /** Llama, and Mistral, whose files say llama too. */
    LLAMA("llama", true),
    QWEN2("qwen2", false),
    QWEN3("qwen3", false);

    private final String label;
    private final boolean interleaved;

    GgufArchitecture(String label, boolean interleaved) {
        this.label = label;
        this.interleaved = interleaved;
    }

    static Optional<GgufArchitecture> of(String label) {
        return Arrays.stream(values())
                .filter(architecture -> architecture.label.equals(label))
                .findFirst();
    }

    /** All that work, for messages. */
    static String labels() {
        return Arrays.stream(values()).map(GgufArchitecture::label).collect(Collectors.joining(", "));
    }

    /** As the file spells it, which is also Hugging Face's {@code model_type} of that family. */
    String label() {
        return label;
    }

    /**
     * Whether the rows of q and k are in the order of a rotation of neighbours, 2i with 2i + 1, and not of halves, i with
     * i + half a head.
     */
    boolean interleaved() {
        return interleaved;
    }
}
