package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ColumnPiecesTest {

    @Test
    void areWholeBlocksWhereTheGridsMeet() {
        ColumnPieces pieces = ColumnPieces.of(70, 0);

        assertThat(pieces.count()).isEqualTo(3);
        assertThat(pieces.start(2)).isEqualTo(64);
        assertThat(pieces.length(1)).isEqualTo(32);
        assertThat(pieces.length(2)).isEqualTo(6);
        assertThat(pieces.activationBlocks()).isEqualTo(3);
    }

    @Test
    void neverCrossABlockOfWeightsOrOfActivations() {
        for (int columns = 0; columns < 140; columns++) {
            for (int offset = 0; offset < 32; offset++) {
                ColumnPieces pieces = ColumnPieces.of(columns, offset);
                int column = 0;
                for (int p = 0; p < pieces.count(); p++) {
                    int last = pieces.start(p) + pieces.length(p) - 1;
                    assertThat(pieces.start(p)).isEqualTo(column);
                    assertThat(last / 32).isEqualTo(pieces.activationBlock(p));
                    assertThat((last + offset) / 32).isEqualTo((pieces.start(p) + offset) / 32);
                    column = last + 1;
                }
                assertThat(column).isEqualTo(columns);
            }
        }
    }
}
