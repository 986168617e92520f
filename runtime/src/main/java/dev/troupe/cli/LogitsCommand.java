package dev.troupe.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.troupe.client.Completion;
import dev.troupe.client.TextRequest;
import dev.troupe.client.Troupe;
import dev.troupe.tensor.Floats;
import dev.troupe.tensor.Ints;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code troupe logits}: the numbers themselves, for comparing. */
@Command(
        name = "logits",
        description = "Writes the logits after every token of a prompt, and what greedy decoding appends.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe logits --model tales --input-ids 2046,421,430 --greedy 16 --out logits.json",
            "  troupe logits --model tales --input-ids 2046,421,430 --tensor-parallel 3 --out split.json",
            "",
            "Every logit is the shortest decimal that reads back to the same 32-bit float,",
            "so two files are equal exactly if the bits are."
        })
final class LogitsCommand implements Callable<Integer> {
    @Mixin
    private final ModelChoice model = new ModelChoice();

    @Option(
            names = "--input-ids",
            required = true,
            split = ",",
            paramLabel = "ID",
            description = "token ids, separated by commas; taken as they are")
    private int[] inputIds = {};

    @Option(
            names = "--greedy",
            paramLabel = "N",
            defaultValue = "0",
            description = "tokens to append; an end-of-text token does not end them (default: 0)")
    private int greedy;

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "JSON file to write")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path out;

    @Mixin
    private final SplitChoice split = new SplitChoice();

    @Mixin
    private final EngineChoice engine = new EngineChoice();

    @Override
    public Integer call() throws Exception {
        Ints ids = Ints.of(inputIds);
        try (Troupe troupe = Engines.open(model.location(), split, engine)) {
            Completion scored = troupe.complete(TextRequest.logitsOf(ids))
                    .toCompletableFuture()
                    .get();
            int[] appended = {};
            if (greedy > 0) {
                TextRequest request = TextRequest.greedy("", greedy)
                        .withPrompt(new TextRequest.Tokens(ids))
                        .withIgnoreEos(true);
                appended = troupe.complete(request)
                        .toCompletableFuture()
                        .get()
                        .choices()
                        .getFirst()
                        .tokens()
                        .toArray();
            }
            write(scored.choices().getFirst().logits(), appended);
        }
        return 0;
    }

    private void write(List<Floats> rows, int[] appended) throws IOException {
        try (Writer writer = Files.newBufferedWriter(out);
                JsonGenerator json = new JsonFactory().createGenerator(writer)) {
            json.writeStartObject();
            json.writeArrayFieldStart("input_ids");
            for (int id : inputIds) {
                json.writeNumber(id);
            }
            json.writeEndArray();
            json.writeArrayFieldStart("logits");
            for (Floats row : rows) {
                json.writeStartArray();
                for (float logit : row.toArray()) {
                    json.writeNumber(logit);
                }
                json.writeEndArray();
            }
            json.writeEndArray();
            json.writeArrayFieldStart("greedy_ids");
            for (int id : appended) {
                json.writeNumber(id);
            }
            json.writeEndArray();
            json.writeEndObject();
            json.writeRaw('\n');
        }
    }
}
