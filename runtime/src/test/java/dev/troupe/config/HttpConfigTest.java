package dev.troupe.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HttpConfigTest {
    private static final String KEYS = "keys { a = aaaaaaaaaaaaaaaa }";
    private static final String TLS = "tls { certificate = c.pem, key = k.pem }";

    private static HttpConfig http(String settings) {
        return NodeConfig.of(
                        ConfigFactory.parseString(
                                "troupe.models.tales = tales\ntroupe.http { enabled = on, %s }".formatted(settings)),
                        Map.of())
                .http();
    }

    @Test
    void hasDefaults() {
        HttpConfig http = http("");

        assertThat(http.tls()).isEmpty();
        assertThat(http.hostNames()).isEmpty();
        assertThat(http.checksHostNames()).isTrue();
        assertThat(http.recordings()).isEqualTo(new HttpConfig.Recordings(256, 128, 256L << 20));
        assertThat(http.preparing().threads()).isGreaterThanOrEqualTo(2);
        assertThat(http.preparing().mostWaiting()).isEqualTo(1024);
        assertThat(http.preparing().mostBytes()).isEqualTo(64L << 20);
        assertThat(http.grace()).isEqualTo(Duration.ofSeconds(5));
    }

    @Test
    void readsTheFilesOfItsTls() {
        assertThat(http("tls { certificate = c.pem, key = k.pem, client-ca = ca.pem }")
                        .tls())
                .contains(new HttpConfig.Tls(Path.of("c.pem"), Path.of("k.pem"), Optional.of(Path.of("ca.pem"))));
        assertThatThrownBy(() -> http("tls.certificate = c.pem"))
                .hasMessageContaining(
                        "troupe.http.tls.key = \"\", expected a PEM file beside the certificate (--tls-key");
        assertThatThrownBy(() -> http("tls.key = k.pem"))
                .hasMessageContaining(
                        "troupe.http.tls.certificate = \"\", expected a PEM file beside the key (--tls-cert");
        assertThatThrownBy(() -> http("tls.client-ca = ca.pem")).hasMessageContaining("troupe.http.tls.certificate");
    }

    @Test
    void bindsOffLoopbackWithKeysAndTlsOrWhereItIsToldTo() {
        for (String host : new String[] {"0.0.0.0", "10.0.0.1", "\"::\"", "example.org"}) {
            String at = "host = " + host + ", ";
            assertThat(http(at + KEYS + ", " + TLS).checksHostNames()).isFalse();
            assertThat(http(at + "insecure = on").keys()).isEmpty();

            assertThatThrownBy(() -> http(at + KEYS))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("needs troupe.http.tls { certificate = FILE, key = FILE }")
                    .hasMessageContaining("(--insecure)")
                    .hasMessageNotContaining("troupe.http.keys");
            assertThatThrownBy(() -> http(at + TLS))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("needs troupe.http.keys { TENANT = KEY } (--api-key)")
                    .hasMessageNotContaining("--tls-cert");
            assertThatThrownBy(() -> http(at))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("troupe.http.keys")
                    .hasMessageContaining("--tls-cert");
        }
    }

    @Test
    void onLoopbackNeedsNeither() {
        for (String host : new String[] {"localhost", "127.0.0.1", "\"::1\""}) {
            assertThat(http("host = " + host).keys()).isEmpty();
        }
        assertThat(http(KEYS).checksHostNames()).isFalse();
    }

    @Test
    void leavesAKeyAQuarterOfWhatWaitsWhereThereAreSeveral() {
        HttpConfig.Preparing one = http(KEYS).preparing();
        HttpConfig.Preparing several = http("keys { a = key-of-team-a-0123456789, b = key-of-team-b-0123456789 }")
                .preparing();
        HttpConfig.Preparing large =
                http("max-body = 32 MiB, keys { a = key-of-team-a-0123456789, b = key-of-team-b-0123456789 }")
                        .preparing();

        assertThat(one.mostWaitingPerKey()).isEqualTo(one.mostWaiting()).isEqualTo(1024);
        assertThat(one.mostBytesPerKey()).isEqualTo(one.mostBytes()).isEqualTo(64 << 20);
        assertThat(several.mostWaitingPerKey()).isEqualTo(256);
        assertThat(several.mostBytesPerKey()).isEqualTo(16 << 20);
        assertThat(large.mostBytesPerKey()).isEqualTo(32 << 20);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "recordings = 0 | troupe.http.recordings = 0, expected at least 1",
                "recordings-per-key = 0 | troupe.http.recordings-per-key = 0, expected at least 1",
                "recordings-bytes = 1 | troupe.http.recordings-bytes = 1, expected at least 1024",
                "prepare.threads = 0 | troupe.http.prepare.threads = 0, expected at least 1",
                "prepare.waiting = -1 | troupe.http.prepare.waiting = -1, expected at least 0",
                "prepare.waiting-bytes = 2 MiB | troupe.http.prepare.waiting-bytes = 2097152, expected at least troupe.http.max-body = 4194304",
                "prepare.waiting-per-key = -1 | troupe.http.prepare.waiting-per-key = -1, expected at least 0",
                "prepare.waiting-bytes-per-key = 2 MiB | troupe.http.prepare.waiting-bytes-per-key = 2097152, expected at least troupe.http.max-body = 4194304",
                "grace = 31s | troupe.http.grace = PT31S, expected 0s to 30s",
            })
    void refusesWhatCannotBe(String setting, String message) {
        assertThatThrownBy(() -> http(setting)).hasMessageContaining(message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a:80", "http://a", "a/b", "", "*.a"})
    void refusesWhatIsNoName(String name) {
        assertThatThrownBy(() -> http("host-names = [\"%s\"]".formatted(name)))
                .hasMessageContaining("troupe.http.host-names = %s, expected names of hosts".formatted(name));
    }
}
