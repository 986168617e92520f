package dev.troupe.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PhiloxTest {

    /** The known answers that the authors publish for philox4x32-10. */
    @Test
    void givesTheAuthorsKnownAnswers() {
        assertBlock(0L, new int[] {0, 0, 0, 0}, new int[] {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
        assertBlock(-1L, new int[] {-1, -1, -1, -1}, new int[] {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
        assertBlock(0x299f31d0_a4093822L, new int[] {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, new int[] {
            0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1
        });
    }

    private static void assertBlock(long key, int[] counter, int[] expected) {
        int[] block = counter.clone();

        Philox.block(key, block);

        assertThat(block).containsExactly(expected);
    }
}
