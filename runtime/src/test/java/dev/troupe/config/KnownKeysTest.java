package dev.troupe.config;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class KnownKeysTest {

    @Test
    void countsEdits() {
        assertThat(KnownKeys.distance("port", "port")).isZero();
        assertThat(KnownKeys.distance("prot", "port")).as("neighbours swapped").isEqualTo(1);
        assertThat(KnownKeys.distance("", "port")).isEqualTo(4);
        assertThat(KnownKeys.distance("blocksize", "block-size")).isEqualTo(1);
        assertThat(KnownKeys.distance("kitten", "sitting")).isEqualTo(3);
    }
}
