package dev.troupe.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class TokenBytesTest {
    private static final String LLAMA_2 = """
            {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},
             {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}""";

    @Test
    void readsGpt2sAlphabet() throws JsonProcessingException {
        TokenBytes bytes = read("{\"type\":\"ByteLevel\"}");

        assertThat(bytes.of("Ġupon")).isEqualTo(" upon".getBytes(StandardCharsets.UTF_8));
        assertThat(bytes.of("Ċ")).isEqualTo(new byte[] {10});
        assertThat(bytes.of("Ń")).isEqualTo(new byte[] {(byte) 0xad});
        assertThat(bytes.of("Ģ")).isEqualTo(new byte[] {(byte) 0x80});
        assertThat(bytes.of("ÿ")).isEqualTo(new byte[] {(byte) 0xff});
        assertThat(bytes.of("no byte: 語")).isEqualTo("no byte: 語".getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void readsByteFallbackAndSpaces() throws JsonProcessingException {
        TokenBytes bytes = read(LLAMA_2);

        assertThat(bytes.of("▁upon▁a")).isEqualTo(" upon a".getBytes(StandardCharsets.UTF_8));
        assertThat(bytes.of("<0xE2>")).isEqualTo(new byte[] {(byte) 0xe2});
        assertThat(bytes.of("<0xZZ>")).isEqualTo("<0xZZ>".getBytes(StandardCharsets.UTF_8));
        assertThat(bytes.stripAtStart()).isEqualTo(1);
    }

    @Test
    void readsMetaspace() throws JsonProcessingException {
        TokenBytes first = read("{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"always\"}");
        TokenBytes never = read("{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"never\"}");

        assertThat(first.ofFirst("▁a")).isEqualTo("a".getBytes(StandardCharsets.UTF_8));
        assertThat(first.of("▁a")).isEqualTo(" a".getBytes(StandardCharsets.UTF_8));
        assertThat(never.ofFirst("▁a")).isEqualTo(" a".getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void refusesWhatItCannotDecodeTokenByToken() {
        assertRefused("{\"type\":\"CTC\"}");
        assertRefused("null");
        assertRefused(LLAMA_2.replace("\"stop\":0", "\"stop\":1"));
        assertRefused(LLAMA_2.replace("{\"type\":\"Fuse\"},", ""));
        assertRefused(LLAMA_2.replace("\"String\"", "\"Regex\""));
        assertRefused(LLAMA_2.replace("\"ByteFallback\"", "\"ByteLevel\""));
    }

    private static void assertRefused(String decoder) {
        assertThatThrownBy(() -> read(decoder))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("is not supported; supported are ByteLevel, Metaspace, and sequences of Replace");
    }

    private static TokenBytes read(String decoder) throws JsonProcessingException {
        return TokenBytes.of(new ObjectMapper().readTree(decoder));
    }
}
