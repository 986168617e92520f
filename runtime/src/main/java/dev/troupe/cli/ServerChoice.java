package dev.troupe.cli;

import dev.troupe.openai.ApiClient;
import dev.troupe.openai.ApiException;
import dev.troupe.wire.tls.ClientTls;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that say which server a client asks, and for which model. */
final class ServerChoice {
    /** Where {@code troupe serve} listens by default. */
    private static final String HERE = "http://127.0.0.1:8000";

    @Option(
            names = "--url",
            paramLabel = "URL",
            defaultValue = HERE,
            description = "the server, of any kind that speaks the OpenAI API (default: " + HERE + ")")
    private String url = HERE;

    @Option(
            names = "--api-key",
            paramLabel = "KEY",
            description = "proves who asks. Others on this machine may see the options of a process: in the environment"
                    + " TROUPE_API_KEY is safer")
    private @Nullable String apiKey;

    @Option(
            names = "--model",
            paramLabel = "ID",
            description = "what the server calls the model (default: the first that it names)")
    private @Nullable String model;

    @Option(
            names = "--ca",
            paramLabel = "FILE",
            description =
                    "trust the certificates in this PEM file, of authorities or of the server itself, instead of those that Java"
                            + " trusts")
    private @Nullable Path authorities;

    @Option(
            names = "--client-cert",
            paramLabel = "FILE",
            description = "show this certificate, PEM, where the server asks for one")
    private @Nullable Path certificate;

    @Option(names = "--client-key", paramLabel = "FILE", description = "its private key, PEM (PKCS #8, not encrypted)")
    private @Nullable Path certificateKey;

    /**
     * The server's client.
     *
     * @throws IOException if a file of its TLS cannot be used; the message says what to do
     */
    ApiClient client() throws IOException {
        if ((certificate == null) != (certificateKey == null)) {
            throw new CommandFailure("--client-cert and --client-key go together");
        }
        if (authorities == null && certificate == null) {
            return new ApiClient(url);
        }
        if (!url.strip().toLowerCase(Locale.ROOT).startsWith("https:")) {
            throw new CommandFailure(
                    "--url %s, expected https:// beside --ca and --client-cert: without TLS nobody looks at certificates"
                            .formatted(url));
        }
        Optional<ClientTls.Own> own = certificate == null || certificateKey == null
                ? Optional.empty()
                : Optional.of(new ClientTls.Own(certificate, certificateKey));
        return new ApiClient(url, ClientTls.load(Optional.ofNullable(authorities), own));
    }

    /** The key, or empty. */
    String key() {
        String key = Objects.requireNonNullElse(apiKey, Objects.requireNonNullElse(System.getenv("TROUPE_API_KEY"), ""))
                .strip();
        if (!isKey(key)) {
            throw new CommandFailure("the API key has characters that no key has; expected letters, digits and signs");
        }
        return key;
    }

    /** Whether it can stand in a header. */
    static boolean isKey(String key) {
        return key.chars().allMatch(each -> each > ' ' && each < 127);
    }

    /**
     * The model to ask for; the server is asked for it in any case, so that what is wrong shows before anything begins.
     *
     * @param key of who asks
     */
    String model(ApiClient client, String key) throws InterruptedException {
        try {
            String first = client.models(key).getFirst();
            return model == null ? first : model;
        } catch (ApiException e) {
            throw failure(client, e);
        }
    }

    /** What a person can do about it. */
    static CommandFailure failure(ApiClient client, ApiException e) {
        return new CommandFailure(
                switch (e.kind()) {
                    case NO_CONNECTION ->
                        e.getMessage() + "; start one with troupe serve --model MODEL, or name another with --url";
                    case UNTRUSTED ->
                        e.getMessage() + "; --ca names whom to trust, --client-cert and --client-key what to show";
                    case REFUSED -> refusal(client, e);
                    case BROKEN, NOT_DONE, MALFORMED, TIMEOUT -> String.valueOf(e.getMessage());
                });
    }

    private static String refusal(ApiClient client, ApiException e) {
        String said = "%s refuses (%s): %s".formatted(client.url(), e.label(), e.getMessage());
        if (e.status() == 401 || e.status() == 403) {
            return said + "; give its key by TROUPE_API_KEY or --api-key";
        }
        return String.valueOf(e.getMessage()).contains("chat template")
                ? said + "; chats need a model that was trained for them"
                : said;
    }
}
