package dev.troupe.cli;

import dev.troupe.model.checkpoint.Checkpoint;
import dev.troupe.model.quantise.CheckpointQuantiser;
import dev.troupe.model.quantise.RoundedType;
import dev.troupe.text.gguf.GgufVocabularyWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe quantize}: a smaller copy of a checkpoint. */
@Command(
        name = "quantize",
        description = {
            "Rounds the weights of a checkpoint to q8_0, q4_0 or q4_k and writes them, with its vocabulary and chat template, as"
                    + " one GGUF file.",
            "Vectors stay f32; with q4_0 and q4_k the embedding table and the output matrix are q8_0. A matrix whose columns"
                    + " do not fill blocks (256 columns for q4_k, 32 for the others) is q8_0 or stays as it is; the command says"
                    + " which."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe quantize --model tales --type q8_0 --out tales-q8_0.gguf",
            "  troupe quantize --model DIR --type q4_k --out model-q4_k.gguf --force",
            "  troupe quantize --model model-f16.gguf --type q4_0 --out model-q4_0.gguf"
        })
final class QuantizeCommand implements Callable<Integer> {
    @Mixin
    private final ModelChoice model = new ModelChoice();

    @Option(
            names = "--type",
            required = true,
            paramLabel = "TYPE",
            description = "what to round to: q8_0 (8.5 bits a weight), q4_0 or q4_k (4.5)")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private RoundedType type;

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "GGUF file to write")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path out;

    @Option(names = "--force", description = "write over FILE if it is there")
    private boolean force;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        long start = System.nanoTime();
        requirePlace();
        PrintWriter terminal = spec.commandLine().getOut();
        try (Checkpoint checkpoint = model.open()) {
            requireOther(checkpoint);
            CheckpointQuantiser quantiser = CheckpointQuantiser.of(checkpoint, type);
            GgufVocabularyWriter vocabulary = GgufVocabularyWriter.of(checkpoint.directory(), checkpoint.config());
            quantiser.remarks().forEach(terminal::println);
            if (checkpoint.metadata() == null && !vocabulary.hasVocabulary()) {
                terminal.printf("%s has no tokenizer.json, so the file has no vocabulary%n", checkpoint.name());
            }
            terminal.flush();
            try (ProgressLine progress = ProgressLine.onStandardError()) {
                quantiser.write(out, vocabulary, (done, total) -> progress.bytes("rounding weights", done, total));
            }
            terminal.printf(
                    "%.1f MB of weights became %.1f MB; %s has %.1f MB and took %.1f s%n",
                    quantiser.bytesBefore() / 1e6,
                    quantiser.bytesAfter() / 1e6,
                    out,
                    Files.size(out) / 1e6,
                    (System.nanoTime() - start) / 1e9);
        }
        terminal.flush();
        return 0;
    }

    private void requirePlace() {
        Path parent = out.toAbsolutePath().getParent();
        if (parent == null || !Files.isDirectory(parent)) {
            throw new CommandFailure("--out %s: there is no directory %s".formatted(out, parent));
        }
        if (Files.isDirectory(out)) {
            throw new CommandFailure("--out %s is a directory; name a file in it".formatted(out));
        }
        if (String.valueOf(out.getFileName()).matches(".*-\\d{5}-of-\\d{5}\\.gguf")) {
            throw new CommandFailure(
                    "--out %s: such a name stands for one part of a split file; the whole model is written into one"
                            .formatted(out));
        }
        if (Files.exists(out) && !force) {
            throw new CommandFailure("%s is there: --force writes over it".formatted(out));
        }
    }

    private void requireOther(Checkpoint checkpoint) throws IOException {
        Path path = checkpoint.path();
        if (path != null && Files.exists(out) && Files.isSameFile(path, out)) {
            throw new CommandFailure("--out %s is the model itself; name another file".formatted(out));
        }
    }
}
