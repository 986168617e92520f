package dev.troupe.weights;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** JSON as RFC 8259 has it and nothing more: UTF-8 only, duplicate keys refused, nesting bounded, no trailing content. */
public final class StrictJson {
    private static final int MAX_NESTING = 64;

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(MAX_NESTING).build())
            .build();

    private static final JsonMapper MAPPER = new JsonMapper(FACTORY);

    private StrictJson() {}

    /** Reads tokens from {@code in}; malformed UTF-8 is an error, and so are UTF-16 and UTF-32. */
    static JsonParser parser(InputStream in) throws IOException {
        var utf8 = StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
        return FACTORY.createParser(new InputStreamReader(in, utf8));
    }

    /**
     * Reads a file that holds one object.
     *
     * @param maxBytes refuse a larger file
     * @throws WeightFormatException if it is too large, is not strict JSON or is not an object
     */
    public static ObjectNode object(Path file, long maxBytes) throws IOException {
        long size = Files.size(file);
        if (size > maxBytes) {
            throw new WeightFormatException("%s has %d bytes, expected at most %d".formatted(file, size, maxBytes));
        }
        try (InputStream in = Files.newInputStream(file);
                JsonParser parser = parser(in)) {
            JsonNode tree = MAPPER.readTree(parser);
            if (parser.nextToken() != null) {
                throw new WeightFormatException("%s goes on after its JSON object".formatted(file));
            }
            if (!(tree instanceof ObjectNode object)) {
                throw new WeightFormatException("%s does not hold a JSON object".formatted(file));
            }
            return object;
        } catch (JsonProcessingException | CharacterCodingException e) {
            throw malformed(file.toString(), e);
        }
    }

    /** The exception for {@code cause}, met while reading {@code what}. */
    static WeightFormatException malformed(String what, IOException cause) {
        if (cause instanceof JsonProcessingException json) {
            var at = json.getLocation();
            String where = at == null ? "" : " (line %d, column %d)".formatted(at.getLineNr(), at.getColumnNr());
            return new WeightFormatException(
                    "%s is not valid JSON: %s%s".formatted(what, json.getOriginalMessage(), where), cause);
        }
        return new WeightFormatException("%s is not UTF-8 text: %s".formatted(what, cause), cause);
    }
}
