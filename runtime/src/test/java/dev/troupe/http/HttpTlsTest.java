package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import dev.troupe.wire.tls.Authority;
import dev.troupe.wire.tls.CertificateRole;
import dev.troupe.wire.tls.Holder;
import dev.troupe.wire.tls.TlsFiles;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The port speaks TLS to clients of other makers, and nothing else. */
class HttpTlsTest {
    private static final String HERE = "127.0.0.1";

    @TempDir
    private Path directory;

    private Authority authority;
    private TlsFiles files;

    @BeforeEach
    void certificates() throws IOException {
        authority = Authority.create(directory, Clock.systemUTC());
        files = issue(authority, HERE, CertificateRole.FRONTEND);
    }

    private TlsFiles issue(Authority by, String host, CertificateRole role) throws IOException {
        Holder holder = new Holder(host, Set.of(role));
        by.issue(holder, Duration.ofDays(1));
        return holder.filesIn(directory);
    }

    private Map<String, Object> settings() {
        return Map.of(
                "troupe.http.tls.certificate", files.certificate().toString(),
                "troupe.http.tls.key", files.key().toString());
    }

    private static TrustManager[] trust(X509Certificate authority) throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("ca", authority);
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(trusted);
        return factory.getTrustManagers();
    }

    private SSLContext trusting(KeyManager... own) throws Exception {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(own, trust(authority.certificate()), null);
        return context;
    }

    private static HttpClient client(SSLContext context) {
        return HttpClient.newBuilder().sslContext(context).build();
    }

    @Test
    void speaksTlsToTheClientsOfJavaAndOfTheApi() throws Exception {
        try (Served served = Served.start(settings(), client(trusting()))) {
            HttpResponse<String> stream = served.post(
                    "/v1/completions",
                    "{\"model\": \"tales\", \"prompt\": \"Once\", \"max_tokens\": 5, \"ignore_eos\": true, \"stream\": true}");
            OpenAIClient official = OpenAIOkHttpClient.builder()
                    .baseUrl(served.uri("/v1").toString())
                    .apiKey(Served.KEY)
                    .sslSocketFactory(trusting().getSocketFactory())
                    .trustManager((X509TrustManager) trust(authority.certificate())[0])
                    .maxRetries(0)
                    .build();

            assertThat(served.uri("/").getScheme()).isEqualTo("https");
            assertThat(Served.data(stream.body())).hasSize(5 + 2).endsWith("[DONE]");
            assertThat(official.models().list().data()).hasSize(1);
            official.close();
        }
    }

    @Test
    void speaksNoPlainHttpAndNoOldTls() throws Exception {
        try (Served served = Served.start(settings(), client(trusting()))) {
            URI plain = URI.create("http://" + served.server().address() + "/livez");
            assertThat(served.get("/livez").statusCode()).isEqualTo(200);

            assertThatThrownBy(() -> served.send(HttpRequest.newBuilder(plain).build()))
                    .isInstanceOf(IOException.class);
            for (String protocol : List.of("TLSv1.3", "TLSv1.2")) {
                assertThat(protocol(served, protocol)).isEqualTo(protocol);
            }
            assertThat(HttpServer.tls(Served.config(settings()).http())
                            .orElseThrow()
                            .server()
                            .getEnabledProtocols())
                    .containsExactly("TLSv1.3", "TLSv1.2");
            try (HttpClient stranger = HttpClient.newHttpClient()) {
                assertThatThrownBy(() -> stranger.send(
                                HttpRequest.newBuilder(served.uri("/livez")).build(),
                                HttpResponse.BodyHandlers.ofString()))
                        .isInstanceOf(SSLHandshakeException.class);
            }
        }
    }

    private String protocol(Served served, String protocol) throws Exception {
        try (SSLSocket socket = (SSLSocket) trusting()
                .getSocketFactory()
                .createSocket(served.uri("/").getHost(), served.uri("/").getPort())) {
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setProtocols(new String[] {protocol});
            socket.setSSLParameters(parameters);
            socket.startHandshake();
            return socket.getSession().getProtocol();
        }
    }

    @Test
    void asksClientsForACertificateWhereAnAuthorityIsNamed() throws Exception {
        TlsFiles own = issue(authority, HERE, CertificateRole.CLIENT);
        Map<String, Object> settings = new java.util.HashMap<>(settings());
        settings.put("troupe.http.tls.client-ca", files.ca().toString());
        try (Served served = Served.start(settings, client(trusting(keys(own))))) {
            assertThat(served.get("/livez").statusCode()).isEqualTo(200);

            try (HttpClient nobody = client(trusting())) {
                assertThatThrownBy(() -> nobody.send(
                                HttpRequest.newBuilder(served.uri("/livez")).build(),
                                HttpResponse.BodyHandlers.ofString()))
                        .isInstanceOf(IOException.class);
            }
        }
    }

    private KeyManager[] keys(TlsFiles own) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        var certificates = java.security.cert.CertificateFactory.getInstance("X.509");
        String pem = Files.readString(own.key()).replaceAll("-----[A-Z ]+-----", "");
        var key = java.security.KeyFactory.getInstance("EC")
                .generatePrivate(new java.security.spec.PKCS8EncodedKeySpec(
                        java.util.Base64.getMimeDecoder().decode(pem)));
        try (var in = Files.newInputStream(own.certificate())) {
            store.setKeyEntry(
                    "own", key, new char[0], new java.security.cert.Certificate[] {certificates.generateCertificate(in)
                    });
        }
        KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
        factory.init(store, new char[0]);
        return factory.getKeyManagers();
    }

    @Test
    void saysInOneSentenceWhatIsWrongWithItsFiles() throws Exception {
        Path missing = directory.resolve("missing.pem");
        Path encrypted = Files.writeString(
                directory.resolve("encrypted.pem"),
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
        Path old = Files.writeString(
                directory.resolve("old.pem"), "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n");
        Path other = issue(authority, "127.0.0.2", CertificateRole.FRONTEND).key();
        Authority past =
                Authority.create(directory.resolve("past"), Clock.offset(Clock.systemUTC(), Duration.ofDays(-9)));
        past.issue(new Holder(HERE, Set.of(CertificateRole.FRONTEND)), Duration.ofDays(1));
        TlsFiles expired = TlsFiles.ofNode(directory.resolve("past"), HERE);

        assertRefused(missing, files.key(), missing + " does not exist");
        assertRefused(files.certificate(), missing, missing + " does not exist");
        assertRefused(directory, files.key(), directory + " is a directory; expected a PEM file");
        assertRefused(files.key(), files.key(), files.key() + " holds no certificate");
        assertRefused(
                files.certificate(),
                encrypted,
                encrypted + " is encrypted, and nobody is there to be asked for its password: write it without one with"
                        + " openssl pkcs8 -topk8 -nocrypt -in encrypted.pem");
        assertRefused(files.certificate(), old, old + " holds a private key of an older form; make PKCS #8 of it");
        assertRefused(files.certificate(), files.certificate(), files.certificate() + " holds no private key");
        assertRefused(
                files.certificate(),
                other,
                other + " is not the private key of " + files.certificate() + ": take both");
        assertRefused(expired.certificate(), expired.key(), expired.certificate() + " has expired: it was valid from");
    }

    private static void assertRefused(Path certificate, Path key, String message) {
        Map<String, Object> settings = Map.of(
                "troupe.models", Map.of("none", "/there/is/no/model"),
                "troupe.http.tls.certificate", certificate.toString(),
                "troupe.http.tls.key", key.toString());

        assertThatThrownBy(() -> Served.start(settings))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith(message);
    }
}
