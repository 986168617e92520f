package dev.troupe.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.generation.Ticket;
import dev.troupe.tensor.Ints;
import java.time.Duration;
import java.util.List;

/**
 * What another front end needs to make the same stream of the same events: the route, when it began, and the request as it came, but
 * for its prompt, which the generation has in tokens, and with the values that were drawn or derived from it. The request is read
 * again by its own reader, so what a reader learns to read is kept too.
 */
final class StreamForm {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final String CHAT = "chat";
    private static final String COMPLETIONS = "completions";

    private StreamForm() {}

    /**
     * How the client of a stream comes back to it.
     *
     * @param body of the request
     * @throws ApiError if the request is too long to be kept
     */
    static Ticket ticket(String tenant, Answer answer, ObjectNode body) {
        GenerationCall call = answer.call();
        boolean chat = answer instanceof ChatAnswer;
        ObjectNode kept = body.deepCopy();
        kept.put("seed", call.request().sampling().seed());
        kept.put("max_tokens", call.request().maxTokens());
        kept.remove("max_completion_tokens");
        kept.remove("deadline");
        if (chat) {
            kept.remove("messages");
        } else {
            kept.putArray("prompt").add(0);
        }
        ObjectNode form = JSON.objectNode();
        form.put("route", chat ? CHAT : COMPLETIONS);
        form.put("created", answer.created());
        form.set("request", kept);
        String text = form.toString();
        if (text.length() > Ticket.MAX_FORM) {
            throw ApiError.invalid(
                    "resumable",
                    "the request without its prompt has %d characters, expected at most %d for resumable=true"
                            .formatted(text.length(), Ticket.MAX_FORM));
        }
        return new Ticket(answer.id(), tenant, text);
    }

    /**
     * The answer that a ticket stands for, with nothing in it yet.
     *
     * @param prompt of the generation
     * @param deadline for one that has to begin anew
     * @throws ApiError if this front end cannot read what another has kept
     */
    static Answer answer(Ticket ticket, Ints prompt, ServedModel model, Duration deadline) {
        JsonNode form = parse(ticket.form());
        if (!(form.path("request") instanceof ObjectNode body)) {
            throw ApiError.notFound("the generation's request cannot be read here");
        }
        Answer answer = form.path("route").asText().equals(CHAT)
                ? ChatRequest.read(body, model, deadline, prompt)
                : new CompletionAnswer(
                        CompletionsRequest.read(body, model, deadline).withPrompts(List.of(prompt)), model);
        answer.goOnWith(ticket.id(), form.path("created").asLong());
        return answer;
    }

    private static JsonNode parse(String form) {
        try {
            return MAPPER.readTree(form);
        } catch (JsonProcessingException e) {
            throw ApiError.notFound("the generation's request cannot be read here");
        }
    }
}
