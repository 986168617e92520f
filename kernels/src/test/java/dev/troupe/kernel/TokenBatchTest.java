package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TokenBatchTest {

    @Test
    void findsTheBlockOfAPosition() {
        TokenBatch batch =
                new TokenBatch(new int[] {5, 6}, new int[] {40, 7}, new int[] {1, 0}, new int[][] {{9}, {3, 8}});

        assertThat(batch.block(1, 40, 32)).isEqualTo(8);
        assertThat(batch.block(0, 7, 32)).isEqualTo(9);
        assertThat(batch.blocks(1)).isEqualTo(2);
        assertThat(batch.sequences()).isEqualTo(2);
    }

    @Test
    void refusesTokensOfASequenceThatDoNotStandTogether() {
        int[][] tables = {{0}, {1}};

        assertThatThrownBy(() -> new TokenBatch(new int[3], new int[] {0, 0, 1}, new int[] {0, 1, 0}, tables))
                .hasMessage("tokens of sequence 0 do not stand together in order at token 2");
        assertThatThrownBy(() -> new TokenBatch(new int[2], new int[] {0, 2}, new int[] {0, 0}, tables))
                .hasMessage("tokens of sequence 0 do not stand together in order at token 1");
        assertThatThrownBy(() -> new TokenBatch(new int[1], new int[] {0}, new int[] {2}, tables))
                .hasMessage("token 0 has sequence=2 of 2 and position=0");
        assertThatThrownBy(() -> new TokenBatch(new int[1], new int[2], new int[1], tables))
                .hasMessage("ids=1, positions=2, sequences=1 differ in length");
    }
}
