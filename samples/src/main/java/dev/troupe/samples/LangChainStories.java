package dev.troupe.samples;

import com.typesafe.config.ConfigFactory;
import dev.langchain4j.agent.tool.Tool;
import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.model.LambdaStreamingResponseHandler;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiEmbeddingModel;
import dev.langchain4j.model.openai.OpenAiModelCatalog;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import dev.langchain4j.service.AiServices;
import dev.langchain4j.store.embedding.CosineSimilarity;
import dev.troupe.config.NodeConfig;
import dev.troupe.http.HttpServer;
import dev.troupe.node.LocalTroupe;
import dev.troupe.weights.LoadProgress;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** LangChain4j as a client of the OpenAI API: a stream, a tool, an answer that is a Java record, embeddings. */
public final class LangChainStories {
    private static final String USAGE = """
            LangChainStories [URL]
              URL   an OpenAI API, for example http://127.0.0.1:8000/v1 of "troupe serve --model tales";
                    without it a server for the bundled model starts in this process
            The environment's TROUPE_API_KEY is the key, if the server wants one.""";

    private final String url;
    private final String key =
            Optional.ofNullable(System.getenv("TROUPE_API_KEY")).orElse("none");
    private final String model;

    private LangChainStories(String url) {
        this.url = url;
        this.model = OpenAiModelCatalog.builder()
                .baseUrl(url)
                .apiKey(key)
                .build()
                .listModels()
                .getFirst()
                .name();
    }

    /** @param arguments the URL of an API, or nothing, or {@code --help} */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            try (HttpServer server = serve()) {
                new LangChainStories(server.url() + "/v1").tell();
            }
        } else if (arguments.length == 1 && !arguments[0].startsWith("-")) {
            new LangChainStories(arguments[0]).tell();
        } else {
            System.out.println(USAGE);
        }
    }

    private static HttpServer serve() throws IOException {
        Map<String, ?> settings =
                Map.of("troupe.models", Map.of("tales", "tales"), "troupe.http.enabled", true, "troupe.http.port", 0);
        return LocalTroupe.serve(NodeConfig.of(ConfigFactory.parseMap(settings)), LoadProgress.NONE);
    }

    private void tell() throws InterruptedException {
        stream();
        callATool();
        answerAsARecord();
        embed();
    }

    private void stream() throws InterruptedException {
        OpenAiStreamingChatModel chat = OpenAiStreamingChatModel.builder()
                .baseUrl(url)
                .apiKey(key)
                .modelName(model)
                .temperature(0.0)
                .maxCompletionTokens(40)
                .build();
        System.out.print("story:");
        LambdaStreamingResponseHandler.onPartialResponseBlocking(chat, "Tom had a big dog.", System.out::print);
        System.out.println();
    }

    private OpenAiChatModel chat() {
        return OpenAiChatModel.builder()
                .baseUrl(url)
                .apiKey(key)
                .modelName(model)
                .temperature(0.0)
                .maxCompletionTokens(80)
                .parallelToolCalls(false)
                .strictTools(true)
                .supportedCapabilities(Capability.RESPONSE_FORMAT_JSON_SCHEMA)
                .strictJsonSchema(true)
                .build();
    }

    enum Animal {
        CAT,
        DOG,
        BIRD
    }

    /** What the model can have done. */
    static final class Kitchen {
        @Tool("Gives an animal something to eat.")
        String feed(Animal animal) {
            System.out.printf("tool: feed %s%n", animal);
            return "The %s has eaten.".formatted(animal);
        }
    }

    interface Keeper {
        String answer(String request);
    }

    private void callATool() {
        Keeper keeper = AiServices.builder(Keeper.class)
                .chatModel(chat())
                .tools(new Kitchen())
                .chatRequestTransformer(LangChainStories::callFirst)
                .build();
        System.out.printf("keeper: %s%n", keeper.answer("The cat is hungry."));
    }

    /** A model as small as the bundled one calls only where it must: when it is asked, not when it has a tool's result. */
    private static ChatRequest callFirst(ChatRequest request) {
        boolean asked = request.messages().getLast() instanceof UserMessage;
        return asked ? request.toBuilder().toolChoice(ToolChoice.REQUIRED).build() : request;
    }

    enum Feeling {
        HAPPY,
        SAD,
        AFRAID
    }

    /** Its components become a JSON schema, and the server lets no token pass that breaks it. */
    record Summary(Animal hero, Feeling feeling, boolean endsWell) {}

    interface Reader {
        Summary read(String story);
    }

    private void answerAsARecord() {
        Reader reader = AiServices.create(Reader.class, chat());
        System.out.println(reader.read("The dog lost its ball and was sad. Then Lily found it."));
    }

    private void embed() {
        OpenAiEmbeddingModel embeddings = OpenAiEmbeddingModel.builder()
                .baseUrl(url)
                .apiKey(key)
                .modelName(model)
                .build();
        Embedding park = embeddings.embed("The dog ran in the park.").content();
        Embedding likeIt = embeddings.embed("A dog played in the park.").content();
        Embedding another = embeddings.embed("Mom made a cake.").content();
        System.out.printf(
                Locale.ROOT,
                "embeddings: %.3f with a park, %.3f with a cake%n",
                CosineSimilarity.between(park, likeIt),
                CosineSimilarity.between(park, another));
    }
}
