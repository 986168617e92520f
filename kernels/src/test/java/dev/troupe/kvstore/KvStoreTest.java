package dev.troupe.kvstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class KvStoreTest {

    @Test
    void givesEveryElementItsOwnPlace() {
        for (KvType type : KvType.values()) {
            try (KvStore store = new KvStore(type, 2, 3, 24, 16, 4)) {
                Set<Long> keys = new HashSet<>();
                Set<Long> values = new HashSet<>();
                for (int block = 0; block < 4; block++) {
                    for (int head = 0; head < 3; head++) {
                        for (int slot = 0; slot < 16; slot++) {
                            for (int element = 0; element < 24; element++) {
                                keys.add(store.keyOffset(block, head, element, slot));
                                values.add(store.valueOffset(block, head, slot, element));
                            }
                        }
                    }
                }
                assertThat(keys).hasSize(4 * 3 * 16 * 24).allMatch(at -> at >= 0 && at < 4 * store.keyBlockBytes());
                assertThat(values).hasSize(4 * 3 * 16 * 24).allMatch(at -> at >= 0 && at < 4 * store.valueBlockBytes());
                assertThat(store.paddedHeadDim()).isEqualTo(32);
                assertThat(store.keys(1).byteSize()).isEqualTo(4 * store.keyBlockBytes() + 64);
                assertThat(store.valueOffset(1, 2, 3, 4) - store.valueOffset(1, 2, 2, 4))
                        .isEqualTo(32L * type.bytes());
                assertThat(store.keyOffset(1, 2, 4, 3) - store.keyOffset(1, 2, 4, 2))
                        .isEqualTo(type.bytes());
            }
        }
    }

    @Test
    void refusesABlockSizeThatDoesNotDivideASpan() {
        assertThatThrownBy(() -> new KvStore(KvType.F16, 1, 1, 16, 48, 1))
                .hasMessage("kv block-size = 48 tokens does not work; these do: [16, 32, 64, 128]");
    }
}
