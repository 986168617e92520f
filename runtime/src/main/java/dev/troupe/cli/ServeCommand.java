package dev.troupe.cli;

import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigUtil;
import dev.troupe.config.NodeConfig;
import dev.troupe.http.HttpServer;
import dev.troupe.node.LocalTroupe;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe serve}: a model in this process, behind the OpenAI API. */
@Command(
        name = "serve",
        description =
                "Serves a model in this process by the OpenAI API until Ctrl-C. Nodes of a cluster have the same routes:"
                        + " set troupe.http.enabled = on.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe serve --model tales",
            "  troupe serve --model /srv/models/llama-3.2-1b-q8_0.gguf --threads 8 --port 8080",
            "  curl http://127.0.0.1:8000/v1/completions -H 'Content-Type: application/json' \\",
            "    -d '{\"model\": \"tales\", \"prompt\": \"Once upon a time\", \"max_tokens\": 60, \"stream\": true}'"
        })
final class ServeCommand implements Callable<Integer> {
    private static final Duration END_WITHIN = Duration.ofSeconds(5);

    @Mixin
    private final ModelChoice model = new ModelChoice();

    @Option(
            names = "--served-model-name",
            paramLabel = "ID",
            description = "what clients call the model (default: the name of its file or directory)")
    private @Nullable String servedName;

    @Option(
            names = "--host",
            paramLabel = "HOST",
            defaultValue = "127.0.0.1",
            description = "bind to (default: 127.0.0.1)")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private String host;

    @Option(
            names = "--port",
            paramLabel = "N",
            defaultValue = "8000",
            description = "port (default: 8000; 0: a free one)")
    private int port;

    @Option(
            names = "--api-key",
            paramLabel = "TENANT=KEY",
            description =
                    "a key that clients must send, and whose it is; may be repeated. Others on this machine may see"
                            + " the options of a process: in the environment TROUPE_API_KEY is safer (tenant 'default')")
    private Map<String, String> keys = Map.of();

    @Option(
            names = "--tls-cert",
            paramLabel = "FILE",
            description = "speak TLS with this certificate, PEM; those between it and its authority follow it")
    private @Nullable Path tlsCertificate;

    @Option(names = "--tls-key", paramLabel = "FILE", description = "its private key, PEM (PKCS #8, not encrypted)")
    private @Nullable Path tlsKey;

    @Option(names = "--insecure", description = "bind off loopback without keys, or without TLS")
    private boolean insecure;

    @Option(names = "--pipeline-parallel", paramLabel = "N", defaultValue = "1", description = "stages (default: 1)")
    private int pipelineParallel;

    @Option(
            names = "--tensor-parallel",
            paramLabel = "N",
            defaultValue = "1",
            description = "ranks of a stage (default: 1)")
    private int tensorParallel;

    @Option(
            names = "--kv-memory",
            paramLabel = "SIZE",
            description = "memory for keys and values of each rank, for example 2GiB (default: 256MiB)")
    private @Nullable String kvMemory;

    @Option(
            names = "--chat-template",
            paramLabel = "FILE",
            description = "a Jinja file in place of the model's own chat template")
    private @Nullable Path chatTemplate;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description =
                    "more settings, as for a node: keys, weights and limits under troupe.http; options come first")
    private @Nullable Path config;

    @Mixin
    private final EngineChoice engine = new EngineChoice();

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        NodeConfig read = config == null
                ? NodeConfig.of(ConfigFactory.parseMap(settings(), "the options"))
                : NodeConfig.load(config, settings());
        try (HttpServer server = serve(read)) {
            PrintWriter out = spec.commandLine().getOut();
            Runtime.getRuntime()
                    .addShutdownHook(Thread.ofPlatform()
                            .unstarted(() -> endAll(server, read.http().grace())));
            String key = read.http().keys().isEmpty() ? "" : " -H 'Authorization: Bearer KEY'";
            out.printf("loading %s; %s/ shows how it is%n", read.replica().model(), server.url());
            out.flush();
            server.whenWarm().toCompletableFuture().join();
            out.printf("serving %s at %s/v1%n", read.replica().model(), server.url());
            out.printf(
                    "try: curl %s/v1/completions%s -H 'Content-Type: application/json' -d '{\"model\": \"%s\","
                            + " \"prompt\": \"Once upon a time\", \"max_tokens\": 40}'%n",
                    server.url(), key, read.replica().model());
            out.flush();
            new CountDownLatch(1).await(); // until Ctrl-C or SIGTERM ends the process
        }
        return 0;
    }

    /** Ctrl-C and SIGTERM: answers get their end, and then the process has to end, whatever hangs. */
    private static void endAll(HttpServer server, Duration grace) {
        try {
            server.end().toCompletableFuture().get(grace.plus(END_WITHIN).toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            // The process ends all the same.
        }
    }

    private static HttpServer serve(NodeConfig config) throws IOException {
        try (ProgressLine progress = ProgressLine.onStandardError()) {
            return LocalTroupe.serve(config, (done, total) -> progress.bytes("reading weights", done, total));
        }
    }

    /** What the option says; where there is a file, only if it was given. */
    private void put(Map<String, Object> settings, String key, Object value, String option) {
        if (config == null || spec.commandLine().getParseResult().hasMatchedOption(option)) {
            settings.put(key, value);
        }
    }

    private Map<String, Object> settings() {
        String id = servedName == null ? model.location().id() : servedName;
        Map<String, String> all = new LinkedHashMap<>();
        keys.forEach((tenant, key) -> all.put(ConfigUtil.quoteString(tenant), key));
        String fromEnvironment = System.getenv("TROUPE_API_KEY");
        if (fromEnvironment != null && !fromEnvironment.isBlank()) {
            all.put("default", fromEnvironment.strip());
        }
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put(
                "troupe.models",
                Map.of(ConfigUtil.quoteString(id), model.location().text()));
        settings.put("troupe.replica.model", id);
        put(settings, "troupe.replica.pipeline-parallel", pipelineParallel, "--pipeline-parallel");
        put(settings, "troupe.replica.tensor-parallel", tensorParallel, "--tensor-parallel");
        put(settings, "troupe.device.kind", engine.device(), "--device");
        put(settings, "troupe.device.threads", engine.threads(), "--threads");
        put(settings, "troupe.device.kernels", engine.kernels(), "--kernels");
        put(settings, "troupe.device.cores", engine.cores(), "--cores");
        put(settings, "troupe.kv.type", engine.kvCache().label(), "--kv-cache");
        put(settings, "troupe.numerics", engine.numerics().label(), "--numerics");
        put(settings, "troupe.scheduler.prefill-chunk", engine.prefillChunk(), "--prefill-chunk");
        put(settings, "troupe.scheduler.tokens-per-step", Math.max(256, engine.prefillChunk()), "--prefill-chunk");
        put(settings, "troupe.http.host", host, "--host");
        put(settings, "troupe.http.port", port, "--port");
        if (kvMemory != null) {
            settings.put("troupe.kv.memory", kvMemory);
        }
        settings.put("troupe.http.enabled", true);
        if (!all.isEmpty()) {
            settings.put("troupe.http.keys", all);
        }
        if (chatTemplate != null) {
            settings.put("troupe.http.chat-template", chatTemplate.toString());
        }
        if (tlsCertificate != null) {
            settings.put("troupe.http.tls.certificate", tlsCertificate.toString());
        }
        if (tlsKey != null) {
            settings.put("troupe.http.tls.key", tlsKey.toString());
        }
        if (insecure) {
            settings.put("troupe.http.insecure", true);
        }
        return settings;
    }
}
