package dev.troupe.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ReductionChunksTest {

    @Test
    void dividesGroupsUntilThereAreEightChunks() {
        assertThat(ReductionChunks.attention(32, 8, 64).subChunks()).isEqualTo(1);
        assertThat(ReductionChunks.attention(8, 4, 16).subChunks()).isEqualTo(2);
        assertThat(ReductionChunks.attention(24, 2, 16).subChunks()).isEqualTo(4);
        assertThat(ReductionChunks.attention(28, 4, 16).subChunks()).isEqualTo(7);
        assertThat(ReductionChunks.attention(4, 2, 16).subChunks()).isEqualTo(2);
        assertThat(ReductionChunks.attention(32, 1, 16).subChunks()).isEqualTo(8);
        assertThat(ReductionChunks.attention(5, 5, 16).subChunks()).isEqualTo(1);
    }

    @Test
    void attentionChunksAreWholeHeads() {
        ReductionChunks chunks = ReductionChunks.attention(8, 4, 24);

        assertThat(IntStream.range(0, chunks.count()).map(chunks::start))
                .containsExactly(0, 24, 48, 72, 96, 120, 144, 168);
        assertThat(chunks.end(7)).isEqualTo(192);
        assertThat(chunks.groupStart(3)).isEqualTo(144);
        assertThat(chunks.columns(1, 3)).isEqualTo(96);
    }

    @Test
    void feedForwardChunksAreWholeBlocksOfThirtyTwo() {
        ReductionChunks chunks = ReductionChunks.feedForward(8, 4, 172);

        assertThat(IntStream.range(0, chunks.count()).map(chunks::start))
                .containsExactly(0, 0, 32, 64, 96, 96, 128, 160);
        assertThat(IntStream.range(0, chunks.count()).map(chunks::end))
                .containsExactly(0, 32, 64, 96, 96, 128, 160, 172);
        assertThat(chunks.columns(0, 4)).isEqualTo(172);
    }

    @Test
    void refusesHeadsThatDoNotFillGroups() {
        assertThatThrownBy(() -> ReductionChunks.attention(6, 4, 16))
                .hasMessage("heads=6 do not fill whole groups of kvHeads=4");
    }
}
