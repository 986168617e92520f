package dev.troupe.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

class PrefixHasherTest {
    private static final int[] TOKENS = {1, 2, 3, 4, 5, 6, 7, 8, 9};

    private final PrefixHasher hasher = new PrefixHasher(List.of("model", "exact"), 4);

    @Test
    void namesABlockByEverythingUpToItsLastToken() {
        PrefixHash second = hasher.chain("").name(1, TOKENS);

        assertThat(hasher.chain("").name(1, new int[] {1, 2, 3, 4, 5, 6, 7, 8, 77}))
                .isEqualTo(second);
        assertThat(hasher.chain("").name(1, new int[] {77, 2, 3, 4, 5, 6, 7, 8}))
                .isNotEqualTo(second);
        assertThat(hasher.chain("").name(1, new int[] {1, 2, 3, 4, 5, 6, 7, 77}))
                .isNotEqualTo(second);
        assertThat(hasher.chain("").name(0, new int[] {5, 6, 7, 8})).isNotEqualTo(second);
    }

    @Test
    void givesTheSameNameInWhateverOrderBlocksAreAskedFor() {
        PrefixHasher.Chain chain = hasher.chain("");
        PrefixHash second = chain.name(1, TOKENS);

        assertThat(chain.name(0, TOKENS)).isEqualTo(hasher.chain("").name(0, TOKENS));
        assertThat(chain.name(1, TOKENS)).isEqualTo(second);
    }

    @Test
    void keepsSaltsScopesAndBlockSizesApart() {
        PrefixHash plain = hasher.chain("").name(0, TOKENS);

        assertThat(hasher.chain("tenant").name(0, TOKENS)).isNotEqualTo(plain);
        assertThat(new PrefixHasher(List.of("model", "fast"), 4).chain("").name(0, TOKENS))
                .isNotEqualTo(plain);
        assertThat(new PrefixHasher(List.of("modelexact"), 4).chain("").name(0, TOKENS))
                .isNotEqualTo(plain);
        assertThat(new PrefixHasher(List.of("model"), 4).chain("exact").name(0, TOKENS))
                .isNotEqualTo(plain);
        assertThat(new PrefixHasher(List.of("model", "exact"), 2).chain("").name(0, TOKENS))
                .isNotEqualTo(plain);
    }

    @Test
    void isAChainOfSha256() throws Exception {
        ByteArrayOutputStream root = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(root);
        for (String part : List.of("model", "exact", "4", "salt")) {
            out.writeInt(part.length());
            out.write(part.getBytes(StandardCharsets.UTF_8));
        }
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(root.toByteArray());
        for (int block = 0; block < 2; block++) {
            ByteArrayOutputStream link = new ByteArrayOutputStream();
            link.write(hash);
            for (int i = 0; i < 4; i++) {
                new DataOutputStream(link).writeInt(TOKENS[4 * block + i]);
            }
            hash = MessageDigest.getInstance("SHA-256").digest(link.toByteArray());
        }

        assertThat(hasher.chain("salt").name(1, TOKENS))
                .hasToString(HexFormat.of().formatHex(hash));
    }

    @Test
    void namesNoBlockThatIsNotFull() {
        assertThatThrownBy(() -> hasher.chain("").name(2, TOKENS)).isInstanceOf(IndexOutOfBoundsException.class);
    }
}
