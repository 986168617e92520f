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

    @Test
    void makeARunOfThePiecesThatShareASuperBlock() {
        ColumnPieces pieces = ColumnPieces.of(320, 208);

        // columns 208 to 528 of the matrix: activation blocks from 208, super-blocks from 0, 256 and 512
        assertThat(pieces.runs()).isEqualTo(3);
        assertThat(pieces.runStart(0)).isZero();
        assertThat(pieces.start(pieces.runStart(1))).isEqualTo(48);
        assertThat(pieces.start(pieces.runStart(2))).isEqualTo(304);
        assertThat(pieces.runStart(3)).isEqualTo(pieces.count());
        for (int p = 0; p < pieces.count(); p++) {
            assertThat(pieces.run(p)).isEqualTo((208 + pieces.start(p)) / 256);
            assertThat(pieces.position(p)).isEqualTo((208 + pieces.start(p)) % 32);
            assertThat(pieces.runStart(pieces.run(p))).isLessThanOrEqualTo(p);
        }
    }

    @Test
    void haveNoRunWhereThereIsNoColumn() {
        assertThat(ColumnPieces.of(0, 300).runs()).isZero();
    }
}
