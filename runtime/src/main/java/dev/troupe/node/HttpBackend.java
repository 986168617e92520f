package dev.troupe.node;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.troupe.client.Troupe;
import dev.troupe.config.NodeConfig;
import dev.troupe.http.HttpServer;
import dev.troupe.http.ServedModel;
import dev.troupe.serving.Scheduler;
import dev.troupe.serving.SchedulerStats;
import dev.troupe.text.template.ChatInput;
import dev.troupe.text.template.ChatTemplate;
import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.tools.ToolFormat;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.RecipientRef;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.jspecify.annotations.Nullable;

/** What a node's HTTP port answers with. */
final class HttpBackend {
    private static final Duration WITHIN = Duration.ofSeconds(2);

    private HttpBackend() {}

    /** Of the operator's template, or else of the model's. */
    private static ServedModel.@Nullable ChatPrompt chatPrompt(ModelStore store, NodeConfig config) throws IOException {
        return store.chatTemplate(config.replica().model(), config.http().chatTemplate())
                .<ServedModel.ChatPrompt>map(found -> new TemplatePrompt(found, ToolFormat.of(found.sourceForTools())))
                .orElse(null);
    }

    /** Prompts that a template makes. */
    private record TemplatePrompt(ChatTemplate template, ToolFormat toolFormat) implements ServedModel.ChatPrompt {
        @Override
        public String of(ArrayNode messages, ArrayNode tools) {
            Optional<JsonNode> given = tools.isEmpty() ? Optional.empty() : Optional.of(tools);
            try {
                return template.render(
                        new ChatInput(messages, given, true, Map.of()), Clock.system(ZoneId.systemDefault()));
            } catch (TemplateException e) {
                throw new IllegalArgumentException(e.getMessage(), e);
            }
        }
    }

    /** @param scheduler finds the scheduler, if there is one */
    static HttpServer.Backend of(
            Troupe troupe,
            ModelStore store,
            NodeConfig config,
            Supplier<Optional<RecipientRef<Scheduler.Command>>> scheduler)
            throws IOException {
        String id = config.replica().model();
        ServedModel model = new ServedModel(
                id,
                store.tokenizer(id),
                chatPrompt(store, config),
                store.config(id).maxPositions(),
                store.config(id).vocabularySize(),
                store.config(id).hiddenSize(),
                Instant.now().getEpochSecond());
        return new HttpServer.Backend(
                troupe,
                model,
                () -> scheduler
                        .get()
                        .map(found -> AskPattern.<Scheduler.Command, SchedulerStats>ask(
                                found,
                                Scheduler.GetStats::new,
                                WITHIN,
                                troupe.system().scheduler()))
                        .orElseGet(() -> CompletableFuture.failedFuture(
                                new IllegalStateException("there is no scheduler that can be reached"))));
    }
}
