package dev.troupe.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import org.apache.pekko.util.ByteString;

/** Reads bodies: one JSON object of bounded depth, without double names and with nothing behind it. */
final class JsonBodies {
    private static final int DEEPEST = 64;
    private static final ObjectMapper MAPPER = mapper();

    private JsonBodies() {}

    private static ObjectMapper mapper() {
        JsonFactory factory = JsonFactory.builder()
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(DEEPEST)
                        .maxNumberLength(100)
                        .maxStringLength(Integer.MAX_VALUE)
                        .build())
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        return JsonMapper.builder(factory)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .build();
    }

    /**
     * The object. Errors of the parser are not repeated: they quote the text.
     *
     * @throws ApiError 400 if it is none
     */
    static ObjectNode parse(ByteString bytes) {
        try {
            JsonNode node = MAPPER.readTree(bytes.toArray());
            if (node instanceof ObjectNode object) {
                return object;
            }
            throw ApiError.malformed("the body is no JSON object");
        } catch (JsonProcessingException e) {
            var at = e.getLocation();
            throw ApiError.malformed("the body is no JSON object of at most %d levels without double names%s"
                    .formatted(
                            DEEPEST,
                            at == null ? "" : ": line %d, column %d".formatted(at.getLineNr(), at.getColumnNr())));
        } catch (IOException e) {
            throw ApiError.malformed("the body cannot be read");
        }
    }
}
