package dev.troupe.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BindGuardTest {

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "127.9.8.7", "localhost", "::1", "[::1]", "::ffff:127.0.0.1"})
    void allowsLoopback(String host) {
        assertThat(BindGuard.isLoopback(host)).isTrue();
        assertThatCode(() -> require(host, false)).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0.0.0.0",
                "::",
                "10.0.0.5",
                "fd00::1",
                "node-1.example",
                "127.0.0.1.example",
                "localhost.example"
            })
    void refusesAnythingElseWithoutTls(String host) {
        assertThat(BindGuard.isLoopback(host)).isFalse();
        assertThatThrownBy(() -> require(host, false)).isInstanceOf(ConfigurationException.class);
        assertThatCode(() -> require(host, true)).doesNotThrowAnyException();
    }

    @Test
    void saysHowToSetTlsUp() {
        assertThatThrownBy(() -> require("10.0.0.5", false))
                .hasMessage(
                        "troupe.node.bind-host = 10.0.0.5 is not a loopback address and troupe.wire.tls is off: anybody"
                                + " who can reach it could bring this node down. Run troupe certs --out certs --nodes 127.0.0.1 (and"
                                + " all other nodes' addresses) once, copy ca.pem and each node's certificate and key to it, and set"
                                + " troupe.wire.tls { enabled = on, directory = \"certs\" }; or bind to 127.0.0.1");
    }

    private static void require(String bindHost, boolean tls) {
        NodeConfig config = NodeConfig.of(
                ConfigFactory.parseMap(Map.of(
                        "troupe.models.a", "a",
                        "troupe.node.bind-host", bindHost,
                        "troupe.wire.tls.enabled", tls,
                        "troupe.wire.tls.ca", "ca",
                        "troupe.wire.tls.certificate", "certificate",
                        "troupe.wire.tls.key", "key")),
                Map.of());
        BindGuard.require(config.node(), config.wire());
    }
}
