package dev.troupe.node;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelLocationTest {
    @ParameterizedTest
    @CsvSource({
        "/models/tales, tales",
        "synthetic:tiny:q8_0, tiny-q8_0",
        "/models/llama-1b-Q8_0.gguf, llama-1b-Q8_0",
        "/models/llama-1b-Q8_0-00002-of-00003.gguf, llama-1b-Q8_0",
        "/models/llama.gguf.d, llama.gguf.d"
    })
    void isRegisteredUnderTheLastPartOfItsPath(String text, String id) {
        assertThat(ModelLocation.of(text).id()).isEqualTo(id);
    }
}
