package dev.troupe.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class Utf8DecoderTest {

    @Test
    void decodesEveryCharacterByteByByte() {
        for (int codePoint = 0; codePoint <= Character.MAX_CODE_POINT; codePoint++) {
            if (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE) {
                continue;
            }
            String character = Character.toString(codePoint);
            byte[] bytes = character.getBytes(StandardCharsets.UTF_8);
            Utf8Decoder decoder = new Utf8Decoder();

            for (int i = 0; i + 1 < bytes.length; i++) {
                assertThat(decoder.append(new byte[] {bytes[i]})).isEmpty();
            }

            assertThat(decoder.append(Arrays.copyOfRange(bytes, bytes.length - 1, bytes.length)))
                    .isEqualTo(character);
        }
    }

    /** The examples of the standard's tables 3-8 to 3-11. */
    @Test
    void replacesMaximalPartsAsTheStandardsExamples() {
        assertDecodes("C0AFE080BFF0818241", "\ufffd".repeat(8) + "A");
        assertDecodes("EDA080EDBFBFEDAF41", "\ufffd".repeat(8) + "A");
        assertDecodes("F4919293FF4180BF42", "\ufffd".repeat(5) + "A\ufffd\ufffdB");
        assertDecodes("E180E2F09192F1BF41", "\ufffd".repeat(4) + "A");
    }

    @Test
    void replacesWhatIsUnfinishedAtTheEnd() {
        assertDecodes("41F09F98", "A\ufffd");
    }

    private static void assertDecodes(String hex, String text) {
        byte[] bytes = HexFormat.of().parseHex(hex);
        Utf8Decoder atOnce = new Utf8Decoder();
        Utf8Decoder byteByByte = new Utf8Decoder();
        StringBuilder pieces = new StringBuilder();
        for (byte b : bytes) {
            pieces.append(byteByByte.append(new byte[] {b}));
        }

        assertThat(atOnce.append(bytes) + atOnce.finish()).isEqualTo(text);
        assertThat(pieces + byteByByte.finish()).isEqualTo(text);
    }
}
