package dev.troupe.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.model.ModelConfig;
import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.checkpoint.FingerprintStore;
import dev.troupe.weights.WeightTensor;
import dev.troupe.weights.gguf.GgufMetadata;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe inspect}: what a checkpoint holds. */
@Command(
        name = "inspect",
        description = "Shows a checkpoint's configuration, tensors and sizes.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe inspect --model tales",
            "  troupe inspect --model FILE.gguf",
            "  troupe inspect --model DIR --fingerprint --json"
        })
final class InspectCommand implements Callable<Integer> {
    @Mixin
    private final ModelChoice model = new ModelChoice();

    @Option(
            names = "--fingerprint",
            description = "also hash the weights: two checkpoints with one fingerprint are one model")
    private boolean fingerprint;

    @Option(names = "--json", description = "print JSON")
    private boolean json;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        try (Checkpoint checkpoint = model.open()) {
            if (json) {
                out.println(new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(toJson(checkpoint)));
            } else {
                print(checkpoint, out);
            }
            out.flush();
        }
        return 0;
    }

    private void print(Checkpoint checkpoint, PrintWriter out) throws IOException {
        ModelConfig config = checkpoint.config();
        out.printf("%s: %s%n", checkpoint.name(), config.modelType());
        out.printf(
                "  %d layers, hidden %d, feed-forward %d, %d heads in %d KV groups, head dimension %d%n",
                config.layers(),
                config.hiddenSize(),
                config.intermediateSize(),
                config.heads(),
                config.kvHeads(),
                config.headDim());
        out.printf(
                "  vocabulary %d%s, %d positions, rope %s%n",
                config.vocabularySize(),
                config.tiedEmbeddings() ? " (tied)" : "",
                config.maxPositions(),
                config.rope());
        out.printf("  tensor-parallel 1 to %d, pipeline-parallel 1 to %d%n", config.kvHeads(), config.layers());
        long elements = 0;
        long bytes = 0;
        for (WeightTensor tensor : checkpoint.weights().tensors()) {
            out.printf(
                    "  %-60s %-6s %-18s %,15d bytes%n",
                    tensor.name(), tensor.typeName(), tensor.shape(), tensor.byteSize());
            elements += tensor.elements();
            bytes += tensor.byteSize();
        }
        out.printf(
                "  %d tensors, %,d parameters, %,d bytes%n",
                checkpoint.weights().tensors().size(), elements, bytes);
        GgufMetadata metadata = checkpoint.metadata();
        if (metadata != null) {
            metadata.keys().forEach(key -> out.printf("  %-42s %s%n", key, metadata.shown(key)));
        }
        if (fingerprint) {
            out.printf("  fingerprint %s%n", fingerprint(checkpoint));
        }
    }

    private static String fingerprint(Checkpoint checkpoint) throws IOException {
        try (ProgressLine progress = ProgressLine.onStandardError()) {
            return new FingerprintStore(null)
                    .of(checkpoint, (done, total) -> progress.bytes("hashing weights", done, total))
                    .value();
        }
    }

    private ObjectNode toJson(Checkpoint checkpoint) throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        ModelConfig config = checkpoint.config();
        ObjectNode root = mapper.createObjectNode();
        root.put("model", checkpoint.name());
        root.put("model_type", config.modelType());
        root.put("num_hidden_layers", config.layers());
        root.put("hidden_size", config.hiddenSize());
        root.put("intermediate_size", config.intermediateSize());
        root.put("num_attention_heads", config.heads());
        root.put("num_key_value_heads", config.kvHeads());
        root.put("head_dim", config.headDim());
        root.put("vocab_size", config.vocabularySize());
        root.put("max_position_embeddings", config.maxPositions());
        ArrayNode tensors = root.putArray("tensors");
        for (WeightTensor tensor : checkpoint.weights().tensors()) {
            ObjectNode entry = tensors.addObject();
            entry.put("name", tensor.name());
            entry.put("dtype", tensor.typeName());
            entry.set("shape", mapper.valueToTree(tensor.shape().stream().collect(Collectors.toList())));
            entry.put("bytes", tensor.byteSize());
        }
        GgufMetadata metadata = checkpoint.metadata();
        if (metadata != null) {
            ObjectNode keys = root.putObject("metadata");
            metadata.keys().forEach(key -> keys.put(key, metadata.shown(key)));
        }
        if (fingerprint) {
            root.put("fingerprint", fingerprint(checkpoint));
        }
        return root;
    }
}
